/**
 * List prices in US dollars, us-east-1, as published in 2026. They change: the page that is made from them says so.
 * https://aws.amazon.com/pricing/
 */
export const PRICE = {
  /** Per million requests of up to 64 KB, standard queues. */
  sqsRequests: 0.4,
  /** Per million requests to an HTTP API. */
  httpApiRequests: 1,
  /** Per million invocations. */
  lambdaRequests: 0.2,
  /** Per GB-second, x86. */
  lambdaGbSecond: 0.0000166667,
  /** Per million write units (1 KB each), on demand. */
  dynamoWriteUnits: 0.625,
  /** Per million read units (4 KB each, half for eventually consistent reads), on demand. */
  dynamoReadUnits: 0.125,
  /** Per GB of log taken in. */
  logGb: 0.5,
  /** Per million PUT requests; GET requests. */
  s3Puts: 5,
  s3Gets: 0.4,
  /** Per million traces recorded. */
  traces: 5,
  /** Per vCPU-hour and GB-hour of Fargate on Linux, on demand. */
  fargate: { x86: { vcpu: 0.04048, gb: 0.004445 }, arm64: { vcpu: 0.03238, gb: 0.00356 } },
  /** Per hour of a public IPv4 address. */
  publicIpv4: 0.005,
  /** Per hour of a NAT gateway; what passes through it comes on top. */
  natGateway: 0.045,
  /** Per hour of an interface endpoint, in each zone. */
  interfaceEndpoint: 0.01,
} as const;
