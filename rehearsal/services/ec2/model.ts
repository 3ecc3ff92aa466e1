import { randomBytes } from 'node:crypto';
import { ResourceFailure } from '../../core/resource';

/** Something of EC2 that exists. */
export interface Ec2Resource {
  readonly id: string;
  /** `AWS::EC2::Subnet` */
  readonly type: string;
  /** Resolved, as they were given. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Ids of what it needs. */
  readonly needs: readonly string[];
}

/** Everything of EC2 that exists, by id. */
export class Ec2Resources {
  readonly #items = new Map<string, Ec2Resource>();

  put(item: Ec2Resource): void {
    this.#items.set(item.id, item);
  }

  get(id: string): Ec2Resource | undefined {
    return this.#items.get(id);
  }

  ofType(type: string): readonly Ec2Resource[] {
    return [...this.#items.values()].filter((item) => item.type === type);
  }

  /** @throws ResourceFailure while something needs it */
  remove(id: string): void {
    const user = [...this.#items.values()].find(({ needs }) => needs.includes(id));
    if (user !== undefined) {
      throw new ResourceFailure(
        `DependencyViolation: ${id} has dependencies and cannot be deleted: ${user.type} ${user.id}`,
      );
    }
    this.#items.delete(id);
  }
}

/** `subnet-0123456789abcdef0` */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString('hex')}`;
}
