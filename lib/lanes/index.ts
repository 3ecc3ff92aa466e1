export { type ILane, Lane, type LaneAttributes, type LaneProps } from './lane';
export { AgentLane, type ILaneQueues } from './lane-queues';
