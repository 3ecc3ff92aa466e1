'use strict';
// `cdk-agent-lanes/runtime` as the agent's bundle imports it: the worker's own copy.
module.exports = require('./core.js').runtime;
