import { PRICE } from './prices';

/** A month, as price lists count it. */
const HOURS = 730;

/** Sizes for which the page gives prices. */
const SIZES = [
  { vcpu: 0.25, gb: 0.5 },
  { vcpu: 0.5, gb: 1 },
  { vcpu: 1, gb: 2 },
] as const;

/** Tasks that one container runs at once, for the table of waiting. */
const AT_ONCE = 20;

/** What one choice of network, for workers on Fargate, puts into a stack. Counted in a synthesized template. */
export interface NetworkParts {
  readonly name: string;
  /** Interface endpoints, each in every zone. */
  readonly interfaceEndpoints: number;
  readonly zones: number;
  readonly natGateways: number;
  /** Whether a running worker has a public address. */
  readonly publicAddress: boolean;
}

/** US dollars an hour for one container. */
export function containerHour({ vcpu, gb }: { readonly vcpu: number; readonly gb: number }): number {
  return vcpu * PRICE.fargate.x86.vcpu + gb * PRICE.fargate.x86.gb;
}

/** What a network costs a month while nothing runs in it. */
export function networkMonth({ interfaceEndpoints, zones, natGateways }: NetworkParts): number {
  return HOURS * (interfaceEndpoints * zones * PRICE.interfaceEndpoint + natGateways * PRICE.natGateway);
}

/** US dollars for a million tasks that each wait a number of seconds in a container that runs {@link AT_ONCE}. */
function waiting(seconds: number, size: (typeof SIZES)[number]): number {
  return ((seconds * 1e6) / AT_ONCE / 3600) * containerHour(size);
}

/** Rows of the table of waiting: seconds and prices. */
export function waitingRows(waits: readonly number[]): string[][] {
  return waits.map((seconds) => [`${seconds} s`, ...SIZES.map((size) => waiting(seconds, size).toFixed(2))]);
}

export const WAITING_HEAD = ['waiting time', ...SIZES.map(sizeText)];

export const WAITING_TEXT = `The same on Fargate, in a container that runs ${AT_ONCE} tasks at once and is always busy (x86; arm64 is a fifth less, Spot up to 70 % less):`;

/** Rows of the table of running workers. */
export function workerRows(): string[][] {
  return SIZES.map((size) => {
    const month = HOURS * containerHour(size);
    return [sizeText(size), month.toFixed(2), (2 * month).toFixed(2), (2 * HOURS * PRICE.publicIpv4).toFixed(2)];
  });
}

export const WORKER_HEAD = ['size of a worker', 'one', 'two, in two zones', 'their public addresses'];

/** Rows of the table of networks. */
export function networkRows(networks: readonly NetworkParts[]): string[][] {
  return networks.map((network) => [
    network.name,
    String(network.interfaceEndpoints * network.zones),
    String(network.natGateways),
    networkMonth(network).toFixed(2),
    network.publicAddress ? (HOURS * PRICE.publicIpv4).toFixed(2) : '0.00',
  ]);
}

export const NETWORK_HEAD = [
  'network',
  'endpoints × zones',
  'NAT gateways',
  'US$ a month, idle',
  'US$ a month for each running worker',
];

function sizeText({ vcpu, gb }: { readonly vcpu: number; readonly gb: number }): string {
  return `${vcpu} vCPU, ${gb} GB`;
}
