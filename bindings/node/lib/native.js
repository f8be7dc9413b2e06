'use strict';
// The compiled half. It lies beside index.js, in the build folder as where it is installed.

function load() {
  try {
    return require('../quietus.node');
  } catch (error) {
    throw new Error(`quietus.node cannot be loaded: build the target quietus_node, and see that ` +
                    `libquietus.so.0 is where the loader looks (${error.message})`, { cause: error });
  }
}

module.exports = { native: load() };
