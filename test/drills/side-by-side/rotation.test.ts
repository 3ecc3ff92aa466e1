import { testRotation } from '../rotation';

// Fewer than the drill's own, which is in test:long: as many rotations, and a processor left for the drill beside it.
testRotation(300, { ratePerSecond: 6 });
