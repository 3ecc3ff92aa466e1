import type { Route } from './model';

export interface RouteMatch {
  readonly route: Route;
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface Candidate extends RouteMatch {
  /** Segments of the template that are literal; more is more specific. */
  readonly literals: number;
  readonly greedy: boolean;
  readonly anyMethod: boolean;
}

/**
 * Finds the most specific route: a full match before a greedy one (`{proxy+}`), `$default` last; of several, the one with
 * more literal segments, and the one that names the method.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 */
export function matchRoute(routes: Iterable<Route>, method: string, path: string): RouteMatch | undefined {
  let best: Candidate | undefined;
  let fallback: RouteMatch | undefined;
  for (const route of routes) {
    if (route.key === '$default') {
      fallback = { route, pathParameters: {} };
      continue;
    }
    const candidate = matchOne(route, method, path);
    if (candidate !== undefined && (best === undefined || isBetter(candidate, best))) {
      best = candidate;
    }
  }
  return best ?? fallback;
}

function matchOne(route: Route, method: string, path: string): Candidate | undefined {
  const space = route.key.indexOf(' ');
  const routeMethod = route.key.slice(0, space);
  if (routeMethod !== 'ANY' && routeMethod !== method) {
    return undefined;
  }
  const wanted = route.key
    .slice(space + 1)
    .split('/')
    .slice(1);
  const given = path.split('/').slice(1);
  const pathParameters: Record<string, string> = {};
  let literals = 0;
  for (const [index, segment] of wanted.entries()) {
    const name = /^\{(.+?)(\+?)\}$/.exec(segment);
    const value = given[index];
    if (value === undefined || (name !== null && value === '')) {
      return undefined;
    }
    if (name?.[1] !== undefined && name[2] === '+') {
      pathParameters[name[1]] = given.slice(index).map(decode).join('/');
      return { route, pathParameters, literals, greedy: true, anyMethod: routeMethod === 'ANY' };
    }
    if (name?.[1] !== undefined) {
      pathParameters[name[1]] = decode(value);
    } else if (segment === value) {
      literals += 1;
    } else {
      return undefined;
    }
  }
  return wanted.length === given.length
    ? { route, pathParameters, literals, greedy: false, anyMethod: routeMethod === 'ANY' }
    : undefined;
}

function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.greedy !== b.greedy) {
    return b.greedy;
  }
  return a.literals === b.literals ? b.anyMethod && !a.anyMethod : a.literals > b.literals;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
