import { testChaos } from './chaos';

testChaos(2);
