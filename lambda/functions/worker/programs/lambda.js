'use strict';
// Lambda's handler: the worker around the agent.
const { createHandler } = require('./core.js');
exports.handler = createHandler(require('./agent.js').default);
