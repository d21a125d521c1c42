/** What an optimizer tells its user on the console. */
export class Warnings {
  private readonly given = new Set<string>();

  /** Warns once per kind of message: numbers in it do not make it another one. */
  once(message: string): void {
    const kind = message.replace(/\d+/g, '#');
    if (this.given.has(kind)) return;
    this.given.add(kind);
    console.warn(`natgrad: ${message}`);
  }
}
