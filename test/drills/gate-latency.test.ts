import { testGateDrill } from './gate-drill';

testGateDrill('gate-latency', 'latency');
