'use strict';
// A container's program: the worker with the agent in its process. A health check does not load the agent.
require('./core.js').runContainer(() => require('./agent.js').default);
