'use strict';

/**
 * A pole on a cart (A. Barto, R. Sutton and C. Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems",
 * 1983): the cart is pushed to the left or to the right, and the pole must not fall. With theta the angle of the pole, x the place of
 * the cart, F the push, l half the length of the pole, m its mass and M that of both together, without friction:
 *
 *     theta'' = (g sin theta - cos theta (F + m l theta'^2 sin theta) / M) / (l (4/3 - m cos^2 theta / M))
 *     x'' = (F + m l (theta'^2 sin theta - theta'' cos theta)) / M
 */
const gravity = 9.8;
const poleMass = 0.1;
const totalMass = 1.1;
const halfLength = 0.5;
const push = 10;
const seconds = 0.02;

const limits = { place: 2.4, angle: (12 * Math.PI) / 180, steps: 500 };

class CartPole {
  constructor() {
    this.reset();
  }

  /** Begins anew, close to upright: [x, x', theta, theta']. */
  reset() {
    this.steps = 0;
    this.state = Array.from({ length: 4 }, () => 0.1 * (Math.random() - 0.5));
    return this.state;
  }

  /** Pushes to the left (0) or to the right (1) for one fiftieth of a second; whether that ended the episode. */
  step(action) {
    const [x, speed, angle, turning] = this.state;
    const force = action === 1 ? push : -push;
    const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
    const swing = poleMass * halfLength * turning ** 2 * sin;
    const turn =
      (gravity * sin - (cos * (force + swing)) / totalMass) /
      (halfLength * (4 / 3 - (poleMass * cos ** 2) / totalMass));
    const acceleration = (force + swing - poleMass * halfLength * turn * cos) / totalMass;
    this.state = [
      x + seconds * speed,
      speed + seconds * acceleration,
      angle + seconds * turning,
      turning + seconds * turn,
    ];
    this.steps++;
    const [place, , lean] = this.state;
    return Math.abs(place) > limits.place || Math.abs(lean) > limits.angle || this.steps >= limits.steps;
  }
}

module.exports = { CartPole };
