import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  type MetricOptions,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { QualityGates } from '../gates/quality-gates';
import type { Intake } from '../intake/intake';
import type { Lane } from '../lanes/lane';
import { TaskMetricSet } from '../metrics';
import type { WebhookDelivery } from '../webhooks';
import type { AgentWorker } from '../worker';

export interface AgentDashboardProps {
  readonly agentName: string;
  readonly releaseId: string;
  readonly worker: AgentWorker;
  readonly stable: Lane;
  readonly candidate: Lane;
  readonly intake: Intake;
  readonly gates: QualityGates;
  /** @default - the agent has no webhooks */
  readonly webhooks?: WebhookDelivery;
}

/** A metric of a set, by which the two lanes and the release are shown side by side. */
type Pick = (metrics: TaskMetricSet, options: MetricOptions) => IMetric;

/** What an operator looks at during a rollout and after: the release beside the stable lane, the queues, the gates. */
export class AgentDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: AgentDashboardProps) {
    super(scope, id);
    const { agentName, releaseId, stable, candidate, intake, gates, webhooks, worker } = props;
    const release = TaskMetricSet.ofRelease(agentName, releaseId);
    const compared = (title: string, pick: Pick): IWidget =>
      new GraphWidget({
        title,
        width: 8,
        left: [
          pick(stable.tasks, { label: 'stable lane' }),
          pick(candidate.tasks, { label: 'candidate lane' }),
          pick(release, { label: releaseId }),
        ],
      });
    const queues = (title: string, pick: (lane: Lane) => IMetric[]): IWidget =>
      new GraphWidget({ title, width: 12, left: [...pick(stable), ...pick(candidate)] });
    const period = Duration.minutes(1);

    this.dashboard = new Dashboard(this, 'Resource', {
      defaultInterval: Duration.hours(3),
      widgets: [
        [
          new TextWidget({
            markdown: `# ${agentName}\nRelease in the template: **${releaseId}**. During a rollout the candidate lane runs it.`,
            width: 24,
            height: 2,
          }),
        ],
        [
          new AlarmStatusWidget({
            title: 'Gates and dead letters',
            width: 24,
            height: 3,
            alarms: [
              ...gates.alarms,
              stable.deadLetterAlarm,
              candidate.deadLetterAlarm,
              ...(intake.inboxDeadLetterAlarm === undefined ? [] : [intake.inboxDeadLetterAlarm]),
              ...(webhooks === undefined ? [] : [webhooks.deadLetterAlarm]),
            ],
          }),
        ],
        [
          compared('Tasks finished', (metrics, options) => metrics.metricTasksFinished({ ...options, period })),
          compared('Tasks failed', (metrics, options) => metrics.metricTasksFailed({ ...options, period })),
          compared('Mean quality score', (metrics, options) => metrics.metricQualityScore({ ...options, period })),
        ],
        [
          compared('Mean cost of a task (US$)', (metrics, options) => metrics.metricCost({ ...options, period })),
          compared('Duration, p99 (ms)', (metrics, options) => metrics.metricDuration({ ...options, period })),
          compared('Mean tool calls', (metrics, options) => metrics.metricToolCalls({ ...options, period })),
        ],
        [
          compared('Wait in the queue, p99 (ms)', (metrics, options) =>
            metrics.metricQueueWait({ ...options, period }),
          ),
          compared('Input tokens', (metrics, options) => metrics.metricInputTokens({ ...options, period })),
          compared('Output tokens', (metrics, options) => metrics.metricOutputTokens({ ...options, period })),
        ],
        [
          compared('Tasks aborted', (metrics, options) => metrics.metricTasksAborted({ ...options, period })),
          compared('Attempts retried', (metrics, options) => metrics.metricRetries({ ...options, period })),
          compared('Tasks failed after their last attempt', (metrics, options) =>
            metrics.metricTasksExhausted({ ...options, period }),
          ),
        ],
        [
          compared('Tasks requeued', (metrics, options) => metrics.metricTasksRequeued({ ...options, period })),
          compared('Steps replayed', (metrics, options) => metrics.metricStepsReplayed({ ...options, period })),
          compared('Late results, discarded', (metrics, options) => metrics.metricLateResults({ ...options, period })),
        ],
        [
          compared('Answers of fallback models', (metrics, options) =>
            metrics.metricModelFallbacks({ ...options, period }),
          ),
          compared('Models skipped after failures', (metrics, options) =>
            metrics.metricModelCircuitsOpened({ ...options, period }),
          ),
          compared("Waits for a provider's limit", (metrics, options) =>
            metrics.metricModelRateLimitWaits({ ...options, period }),
          ),
        ],
        [
          queues('Messages waiting', (lane) => [
            lane.metricWaiting(lane.high, { period, label: `${lane.laneName} high` }),
            lane.metricWaiting(lane.normal, { period, label: `${lane.laneName} normal` }),
            lane.metricWaiting(lane.low, { period, label: `${lane.laneName} low` }),
          ]),
          queues('Age of the oldest message (s)', (lane) => [
            lane.metricOldestMessage(lane.high, { period, label: `${lane.laneName} high` }),
            lane.metricOldestMessage(lane.normal, { period, label: `${lane.laneName} normal` }),
            lane.metricOldestMessage(lane.low, { period, label: `${lane.laneName} low` }),
          ]),
        ],
        [
          new GraphWidget({
            title: 'Intake',
            width: 8,
            left: [
              intake.metricAccepted({ period, label: 'accepted' }),
              intake.metricRefused({ period, label: 'refused' }),
              intake.metricShed({ period, label: 'refused: backlog too old' }),
              intake.metricCancelled({ period, label: 'cancelled in the queue' }),
              intake.metricFeedback({ period, label: 'feedback' }),
            ],
          }),
          new GraphWidget({
            title: 'Crashes and dead letters',
            width: 8,
            left: [
              worker.metricCrashes({ period, statistic: Stats.SUM, label: 'worker crashes' }),
              stable.metricDeadLetters({ period, label: 'stable dead letters' }),
              candidate.metricDeadLetters({ period, label: 'candidate dead letters' }),
            ],
          }),
          compared('Attempts abandoned by their worker', (metrics, options) =>
            metrics.metricAttemptsAbandoned({ ...options, period }),
          ),
        ],
        ...worker.dashboardRows(),
        ...(webhooks === undefined ? [] : [[webhookGraph(webhooks, period)]]),
      ],
    });
  }
}

function webhookGraph(webhooks: WebhookDelivery, period: Duration): IWidget {
  return new GraphWidget({
    title: 'Webhooks',
    width: 24,
    left: [
      webhooks.metricDelivered({ period, label: 'delivered' }),
      webhooks.metricFailed({ period, label: 'failed, to be tried again' }),
      webhooks.metricAbandoned({ period, label: 'abandoned' }),
    ],
  });
}
