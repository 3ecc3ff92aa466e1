import { testRotation } from '../rotation';

testRotation(1_000);
