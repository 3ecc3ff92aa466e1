import { testGateDrill } from '../gate-drill';

// The latency gate is not here, because two drills at once slow each other down. The gates of errors and tool calls are in test:all.
testGateDrill('gate-cost', 'cost');
testGateDrill('gate-quality', 'quality');
testGateDrill('gate-custom', 'answerLength');
