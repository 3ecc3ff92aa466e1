import { Lazy, Size } from 'aws-cdk-lib';
import { checkTaskSize } from '../../../../lib/worker/fargate/task-size';
import { testStack } from '../../../support/stack';

test.each<[number, number]>([
  [256, 512],
  [256, 2_048],
  [512, 1_024],
  [512, 4_096],
  [1_024, 8_192],
  [2_048, 5_120],
  [4_096, 30_720],
  [8_192, 20_480],
  [16_384, 122_880],
])('takes %d units with %d MiB', (cpu, memoryMiB) => {
  expect(checkTaskSize(testStack(), cpu, Size.mebibytes(memoryMiB))).toEqual({ cpu, memoryMiB });
});

test.each<[number, number, RegExp]>([
  [300, 1_024, /InvalidTaskSize: cpu of the worker must be one of 256, 512, .*16384 units.*got 300 \(https/],
  [256, 1_536, /memorySize of the worker with cpu 256 must be 512, 1024 or 2048 MiB, got 1536 MiB \(https/],
  [256, 4_096, /must be 512, 1024 or 2048 MiB/],
  [512, 512, /memorySize of the worker with cpu 512 must be 1024 to 4096 MiB in steps of 1024 MiB, got 512 MiB/],
  [1_024, 2_500, /InvalidTaskSize/],
  [8_192, 17_408, /in steps of 4096 MiB/],
])('refuses %d units with %d MiB', (cpu, memoryMiB, message) => {
  expect(() => checkTaskSize(testStack(), cpu, Size.mebibytes(memoryMiB))).toThrow(message);
});

test('refuses what only a deployment can tell', () => {
  expect(() => checkTaskSize(testStack(), Lazy.number({ produce: () => 512 }), Size.mebibytes(1_024))).toThrow(
    /UnresolvedWorker: cpu and memorySize of the worker must not be tokens/,
  );
});
