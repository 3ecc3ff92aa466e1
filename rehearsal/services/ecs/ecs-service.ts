import { isDeepStrictEqual } from 'node:util';
import type { RehearsalClock, Timer } from '../../core/clock';
import type { ProtectionResult } from './agent-endpoint';
import { breakerThreshold, Deployment, type DeploymentOutcome } from './deployment';
import {
  type DeploymentRules,
  type EcsEvent,
  newTaskId,
  type ServiceRevision,
  type ServiceView,
  type StopReason,
  serviceArn,
  type TaskView,
} from './model';
import { nextProvider, nextZone, tasksToStop } from './placement';
import { laneOf, Task, type TaskHost } from './task';

export interface ServiceProps {
  readonly name: string;
  readonly cluster: string;
  readonly clock: RehearsalClock;
  readonly host: TaskHost;
  readonly onEvent: (event: EcsEvent) => void;
}

export interface ServiceSettings {
  readonly revision: ServiceRevision;
  readonly rules: DeploymentRules;
  /** Undefined leaves the count unchanged. */
  readonly desired: number | undefined;
}

/** Maximum number of stopped tasks that a service shows: the newest. */
const MAX_STOPPED_TASKS = 1_000;

/**
 * First and maximum pause between two attempts after consecutive failed starts. AWS documents that the pauses grow, and the
 * maximum. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
 */
const FIRST_PAUSE_MS = 10_000;
const MAX_PAUSE_MS = 27 * 60_000;

/**
 * A service and its scheduler: keeps the desired count of tasks running, replaces stopped and unhealthy ones, and deploys a
 * new revision beside the old one.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/early-success-criteria.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
 */
export class Service {
  readonly #props: ServiceProps;
  readonly name: string;
  readonly arn: string;
  #desired: number;
  #rules: DeploymentRules;
  /** The primary deployment first. */
  #deployments: Deployment[];
  /** In the order of their creation; stopped ones among them. */
  readonly #tasks = new Map<string, Task>();
  readonly #deploymentOf = new Map<Task, Deployment>();
  /** Tasks that have become healthy. */
  readonly #healthyOnce = new WeakSet<Task>();
  /** Tasks that are stopping or have stopped. */
  readonly #countedAsLost = new WeakSet<Task>();
  #lastCompleted: Deployment | undefined;
  #failedStarts = 0;
  #pausedUntil = 0;
  #pause: Timer | undefined;
  #ending = false;
  #scheduling = false;
  #pending = false;

  constructor(props: ServiceProps, settings: ServiceSettings) {
    this.#props = props;
    this.name = props.name;
    this.arn = serviceArn(props.cluster, props.name);
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html
    this.#desired = settings.desired ?? 1;
    this.#rules = settings.rules;
    const first = new Deployment(settings.revision, props.clock.now());
    this.#deployments = [first];
    this.#emit(`deployment ${first.id} of ${settings.revision.definition.arn} begins`);
    this.#schedule();
  }

  get desiredCount(): number {
    return this.#desired;
  }

  get clusterName(): string {
    return this.#props.cluster;
  }

  /** Whether a deployment is in progress. */
  get deploying(): boolean {
    return this.#deployments[0]?.state === 'IN_PROGRESS';
  }

  get revision(): ServiceRevision | undefined {
    return this.#deployments[0]?.revision;
  }

  get view(): ServiceView {
    const active = this.#active();
    const count = (tasks: readonly Task[], running: boolean) =>
      tasks.filter(({ lastStatus }) => (lastStatus === 'RUNNING') === running).length;
    return {
      name: this.name,
      arn: this.arn,
      cluster: this.#props.cluster,
      lane: this.revision === undefined ? undefined : laneOf(this.revision.definition),
      desired: this.#desired,
      running: count(active, true),
      pending: count(active, false),
      deployments: this.#deployments.map((deployment, index) => {
        const own = active.filter((task) => this.#deploymentOf.get(task) === deployment);
        return {
          id: deployment.id,
          status: index === 0 ? 'PRIMARY' : 'ACTIVE',
          rolloutState: deployment.state,
          rolloutReason: deployment.reason,
          definition: deployment.revision.definition.arn,
          running: count(own, true),
          pending: count(own, false),
          failedTasks: deployment.failedTasks,
          createdAt: deployment.createdAt,
        };
      }),
    };
  }

  /** In the order of their creation, stopped ones included. */
  taskViews(): readonly TaskView[] {
    return [...this.#tasks.values()].map(({ view }) => view);
  }

  /** Tasks that are not stopped. */
  livingTasks(): readonly Task[] {
    return [...this.#tasks.values()].filter(({ lastStatus }) => lastStatus !== 'STOPPED');
  }

  livingTask(id: string): Task | undefined {
    const task = this.#tasks.get(id);
    return task?.lastStatus === 'STOPPED' ? undefined : task;
  }

  /** Resolves when the present deployment has completed or failed. */
  deploymentSettled(): Promise<DeploymentOutcome> {
    return this.#deployments[0]?.settled ?? Promise.resolve({ completed: true });
  }

  /** A change of the revision begins a deployment; one of the rest takes effect at once. */
  update({ revision, rules, desired }: ServiceSettings): void {
    this.#rules = rules;
    this.#desired = desired ?? this.#desired;
    const present = this.#deployments[0];
    if (present === undefined || !isDeepStrictEqual(present.revision, revision)) {
      present?.supersede();
      const next = new Deployment(revision, this.#props.clock.now());
      this.#deployments.unshift(next);
      this.#failedStarts = 0;
      this.#pausedUntil = 0;
      this.#emit(`deployment ${next.id} of ${revision.definition.arn} begins`);
    }
    this.#schedule();
  }

  scaleTo(count: number): void {
    if (count !== this.#desired) {
      this.#emit(`desired count ${this.#desired} → ${count}`);
      this.#desired = count;
      this.#schedule();
    }
  }

  /** Stops every task, including protected ones, and resolves when they have stopped. Starts no further task. */
  async drain(): Promise<void> {
    this.#ending = true;
    this.#pause?.cancel();
    this.#desired = 0;
    for (const deployment of this.#deployments) {
      deployment.supersede();
    }
    await Promise.all(
      this.livingTasks().map((task) =>
        task.stop({ code: 'ServiceSchedulerInitiated', reason: `Service ${this.name} is being deleted` }),
      ),
    );
  }

  /** Kills every process without waiting, when the rehearsal ends. */
  killAll(): void {
    this.#ending = true;
    this.#pause?.cancel();
    for (const task of this.livingTasks()) {
      task.kill();
    }
  }

  /**
   * Protects a task of the service for `minutes`; 0 ends the protection.
   *
   * Refused for a task that is being stopped, and while a deployment is in progress and the service would have more protected
   * tasks than it is to have at all: those would keep the deployment from its end.
   */
  protect(task: Task, minutes: number): ProtectionResult {
    if (!task.shouldRun) {
      return { failure: { reason: 'TASK_NOT_VALID', detail: undefined } };
    }
    const others = this.#active().filter((one) => one !== task && one.isProtected).length;
    if (minutes > 0 && this.deploying && others + 1 > this.#desired) {
      const detail = `service ${this.name} has ${others} other protected tasks and a desired count of ${this.#desired}`;
      return { failure: { reason: 'DEPLOYMENT_BLOCKED', detail } };
    }
    task.protect(minutes === 0 ? undefined : this.#props.clock.now() + minutes * 60_000);
    return { protection: { enabled: task.isProtected, until: task.protectedUntil } };
  }

  /** Tasks whose desired status is RUNNING. */
  #active(): readonly Task[] {
    return this.livingTasks().filter(({ shouldRun }) => shouldRun);
  }

  readonly #onTaskChange = (task: Task): void => {
    const deployment = this.#deploymentOf.get(task);
    if (task.lastStatus === 'RUNNING') {
      this.#failedStarts = 0;
    }
    if (task.isHealthy && !this.#healthyOnce.has(task)) {
      this.#healthyOnce.add(task);
      if (deployment !== undefined && this.#rules.breaker?.resetOnHealthyTask === true) {
        deployment.failedTasks = 0;
      }
    }
    if (!task.shouldRun && !this.#countedAsLost.has(task)) {
      this.#countedAsLost.add(task);
      this.#onTaskLost(task, deployment);
    }
    if (task.lastStatus === 'STOPPED') {
      const { stoppedReason, containers } = task.view;
      const codes = containers.map(({ name, exitCode }) => `${name} ${exitCode ?? 'never ran'}`).join(', ');
      this.#emit(`stopped: ${stoppedReason} (${codes})`, task);
      this.#pruneStopped();
    }
    this.#schedule();
  };

  /** The task starts to stop, for any reason: from now on it does not count as active. */
  #onTaskLost(task: Task, deployment: Deployment | undefined): void {
    const { stopCode, stoppedReason } = task.view;
    const neverHealthy = stopCode === 'EssentialContainerExited' && !this.#healthyOnce.has(task);
    if (stopCode === 'TaskFailedToStart') {
      this.#failedStarts += 1;
      const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failedStarts - 1));
      this.#pausedUntil = this.#props.clock.now() + pauseMs;
    }
    if (deployment !== undefined && (stopCode === 'TaskFailedToStart' || neverHealthy)) {
      this.#countFailure(deployment, stoppedReason ?? '');
    }
  }

  #countFailure(deployment: Deployment, why: string): void {
    const { breaker } = this.#rules;
    if (deployment !== this.#deployments[0] || deployment.state !== 'IN_PROGRESS') {
      return;
    }
    deployment.failedTasks += 1;
    if (breaker === undefined || deployment.failedTasks < breakerThreshold(breaker, this.#desired)) {
      return;
    }
    deployment.fail(`ECS deployment circuit breaker: tasks failed to start: ${why}`);
    this.#emit(`deployment ${deployment.id} failed: ${deployment.reason}`);
    const lastCompleted = this.#lastCompleted;
    if (breaker.rollback && lastCompleted !== undefined) {
      const reason = `ECS deployment circuit breaker: rolling back to deploymentId ${lastCompleted.id}.`;
      lastCompleted.resume(reason);
      this.#deployments = [lastCompleted, ...this.#deployments.filter((one) => one !== lastCompleted)];
      this.#failedStarts = 0;
      this.#pausedUntil = 0;
      this.#emit(reason);
    }
  }

  /** Reconciles until nothing changes. */
  #schedule(): void {
    this.#pending = true;
    if (this.#scheduling) {
      return;
    }
    this.#scheduling = true;
    try {
      while (this.#pending && !this.#ending) {
        this.#pending = false;
        this.#reconcile();
      }
    } finally {
      this.#scheduling = false;
    }
  }

  #reconcile(): void {
    const present = this.#deployments[0];
    if (present === undefined) {
      return;
    }
    const active = this.#active();
    const own = active.filter((task) => this.#deploymentOf.get(task) === present);
    const old = active.filter((task) => this.#deploymentOf.get(task) !== present);
    const unhealthy = own.filter((task) => task.health === 'UNHEALTHY');
    const usable = own.filter((task) => task.health !== 'UNHEALTHY');
    this.#launch(present, { active, own, old, unhealthy, usable });
    this.#retireOld(present, active, old);
    this.#replaceUnhealthy(present, unhealthy, usable, active);
    const surplus = usable.length - this.#desired;
    if (surplus > 0) {
      const reason = `Scaling activity initiated by (deployment ${present.id})`;
      this.#stopTasks(usable, surplus, { code: 'ServiceSchedulerInitiated', reason });
    }
    this.#finishDeployment(present);
  }

  #launch(present: Deployment, groups: TaskGroups): void {
    const { active, own, old, unhealthy, usable } = groups;
    const missing = this.#desired - usable.length;
    if (missing <= 0 || present.state === 'FAILED') {
      return;
    }
    // Limit on the tasks during a deployment or a replacement; plain scaling is not limited.
    const upper = Math.floor((this.#desired * this.#rules.maximumPercent) / 100);
    const held =
      present.state === 'IN_PROGRESS' && old.length > 0 ? active.length : unhealthy.length > 0 ? own.length : 0;
    const room = held === 0 ? missing : Math.max(0, upper - held);
    const now = this.#props.clock.now();
    if (now < this.#pausedUntil) {
      this.#pause?.cancel();
      this.#pause = this.#props.clock.after(this.#pausedUntil - now, () => this.#schedule());
      return;
    }
    for (let count = Math.min(missing, room); count > 0; count -= 1) {
      this.#run(present);
    }
  }

  #run(deployment: Deployment): void {
    const { cluster, clock, host } = this.#props;
    const { definition, zones, strategy, publicIp, securityGroups } = deployment.revision;
    const active = this.#active();
    const own = active.filter((task) => this.#deploymentOf.get(task) === deployment);
    const task = new Task({
      id: newTaskId(),
      cluster,
      service: this.name,
      deployment: deployment.id,
      definition,
      zone: nextZone(
        zones,
        active.map(({ props }) => props.zone.zone),
      ),
      publicIp,
      securityGroups,
      capacityProvider: nextProvider(
        strategy,
        own.map(({ props }) => props.capacityProvider),
      ),
      clock,
      host,
      onChange: this.#onTaskChange,
    });
    this.#tasks.set(task.id, task);
    this.#deploymentOf.set(task, deployment);
    void task.start();
  }

  /** Stops tasks of earlier revisions, down to the minimum healthy percent, once new ones have replaced them. */
  #retireOld(present: Deployment, active: readonly Task[], old: readonly Task[]): void {
    if (old.length === 0 || present.state === 'FAILED') {
      return;
    }
    const stoppable = old.filter((task) => !task.isProtected);
    const reason = `Scaling activity initiated by (deployment ${present.id})`;
    const why = { code: 'ServiceSchedulerInitiated', reason } as const;
    if (present.state === 'COMPLETED') {
      this.#stopTasks(stoppable, stoppable.length, why);
      return;
    }
    const lower = Math.ceil((this.#desired * this.#rules.minimumHealthyPercent) / 100);
    const useless = stoppable.filter((task) => !task.isHealthy);
    const spare = active.filter(({ isHealthy }) => isHealthy).length - lower;
    this.#stopTasks(useless, useless.length, why);
    this.#stopTasks(
      stoppable.filter((task) => task.isHealthy),
      Math.max(0, spare),
      why,
    );
  }

  /** Stops unhealthy tasks when healthy ones have replaced them, or when the maximum percent leaves no room for others. */
  #replaceUnhealthy(
    present: Deployment,
    unhealthy: readonly Task[],
    usable: readonly Task[],
    active: readonly Task[],
  ): void {
    if (unhealthy.length === 0) {
      return;
    }
    const upper = Math.floor((this.#desired * this.#rules.maximumPercent) / 100);
    const replaced = usable.filter(({ isHealthy }) => isHealthy).length >= this.#desired;
    const crowded = active.length >= upper && usable.length < this.#desired;
    if (!replaced && !crowded) {
      return;
    }
    const reason = `Task failed container health checks (deployment ${present.id})`;
    const count = replaced ? unhealthy.length : Math.min(unhealthy.length, this.#desired - usable.length);
    for (const task of unhealthy.slice(0, count)) {
      this.#countFailure(present, 'Task failed container health checks');
      void task.stop({ code: 'ServiceSchedulerInitiated', reason });
    }
  }

  #stopTasks(candidates: readonly Task[], count: number, why: StopReason): void {
    const unprotected = candidates.filter((task) => !task.isProtected);
    const chosen = tasksToStop(unprotected, count, (task) => ({
      zone: task.props.zone.zone,
      running: task.lastStatus === 'RUNNING',
      createdAt: task.createdAt,
    }));
    for (const task of chosen) {
      void task.stop(why);
    }
  }

  #finishDeployment(present: Deployment): void {
    const own = this.#active().filter((task) => this.#deploymentOf.get(task) === present);
    const oldLeft = this.livingTasks().some((task) => this.#deploymentOf.get(task) !== present);
    if (present.state === 'IN_PROGRESS') {
      const healthy = own.filter(({ isHealthy }) => isHealthy).length;
      const { early } = this.#rules;
      const required =
        early === undefined
          ? this.#desired
          : // At least one, however low the percentage; none if the service is to have none.
            Math.min(this.#desired, Math.max(1, Math.ceil((this.#desired * early.healthyPercent) / 100)));
      const enough = healthy >= required && (early !== undefined || own.length === this.#desired);
      if (enough && (!oldLeft || early?.cleanup === 'DEFERRED')) {
        present.complete();
        this.#lastCompleted = present;
        this.#emit(`deployment ${present.id} completed`);
        this.#pending = true;
      }
    }
    this.#deployments = this.#deployments.filter(
      (deployment) =>
        deployment === present || this.livingTasks().some((task) => this.#deploymentOf.get(task) === deployment),
    );
  }

  #pruneStopped(): void {
    const stopped = [...this.#tasks.values()].filter(({ lastStatus }) => lastStatus === 'STOPPED');
    for (const task of stopped.slice(0, Math.max(0, stopped.length - MAX_STOPPED_TASKS))) {
      this.#tasks.delete(task.id);
      this.#deploymentOf.delete(task);
    }
  }

  #emit(message: string, task?: Task): void {
    this.#props.onEvent({
      at: this.#props.clock.now(),
      service: this.name,
      ...(task === undefined ? {} : { task: task.id }),
      message,
    });
  }
}

interface TaskGroups {
  readonly active: readonly Task[];
  /** Of the present deployment. */
  readonly own: readonly Task[];
  readonly old: readonly Task[];
  readonly unhealthy: readonly Task[];
  readonly usable: readonly Task[];
}
