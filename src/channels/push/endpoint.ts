import { invalidField } from '#platform/errors.ts';
import { KNOWN_HOSTS } from './constants.ts';

const MAX_LENGTH = 2_048;

/** Whether `host` is `name` itself, or below it when the name begins with a dot. A mere substring never matches. */
const matches = (host: string, name: string): boolean => (name.startsWith('.') ? host.endsWith(name) && host.length > name.length : host === name);

/**
 * Whether the operator named this origin in full (`http://127.0.0.1:8090`). It is a test service then, so plain HTTP, another port
 * and a private address are meant.
 */
export const isTestOrigin = (url: URL, allowedHosts: readonly string[]): boolean =>
  allowedHosts.some((extra) => extra.includes('://') && URL.canParse(extra) && new URL(extra).origin === url.origin);

/** A path of characters that URL leaves as they are, without a segment that URL would resolve. */
const PLAIN_PATH = /^(?!.*\/(?:\.|%2e))\/[\w\-.~!$&()*+,;=:@%/]*(?:\?[\w\-.~!$&()*+,;=:@%/?]+)?$/i;

/** Whether the part behind the origin, from `at` on, is just what URL would make of it. Nearly every endpoint is like that. */
export const isPlainPath = (endpoint: string, at: number): boolean => endpoint.length <= MAX_LENGTH && PLAIN_PATH.test(endpoint.slice(at));

function whyNot(url: URL, allowedHosts: readonly string[]): string | undefined {
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password';
  if (url.hash !== '') return 'must not carry a fragment';
  if (isTestOrigin(url, allowedHosts)) return undefined;
  if (url.protocol !== 'https:') return 'must be an https URL';
  if (url.port !== '') return 'must use port 443';
  const named = allowedHosts.filter((extra) => !extra.includes('://')).map((extra) => extra.toLowerCase());
  return [...KNOWN_HOSTS, ...named].some((name) => matches(url.hostname, name)) ? undefined : 'is not at a known push service (PUSH_HOSTS allows more)';
}

/**
 * Gives the endpoint as a URL if we may ever connect to it. Subscriptions come from strangers, so without this list anybody
 * could make the server call any address (SSRF).
 *
 * @param allowedHosts operator's extras: `push.example.org`, `.push.example.org` for all hosts below, or
 *   `http://host:port` for a test service
 * @throws Problem 422 `push_endpoint_refused` that names the field `endpoint`
 */
export function assertAllowedEndpoint(endpoint: string, allowedHosts: readonly string[]): URL {
  // Parsers of URLs disagree about the host where there are backslashes or spaces.
  const readable = endpoint.length <= MAX_LENGTH && !/[\s\\]/.test(endpoint) && URL.canParse(endpoint);
  const url = readable ? new URL(endpoint) : undefined;
  const reason = url ? whyNot(url, allowedHosts) : `must be a URL of at most ${MAX_LENGTH} characters`;
  if (url && !reason) return url;
  throw invalidField('endpoint', 'push_endpoint_refused', `The push endpoint ${reason}.`);
}
