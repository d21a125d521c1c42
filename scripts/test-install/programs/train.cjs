'use strict';

// Trains on the backend of tfjs that the command line names.

require('./training.cjs').train(process.argv[2]);
