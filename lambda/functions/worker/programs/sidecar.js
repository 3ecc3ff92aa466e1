'use strict';
// A container's program: the worker beside an agent in a container of its own.
require('./core.js').runSidecar();
