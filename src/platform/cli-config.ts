import { ConfigError, type Environment } from './config.ts';
import { readReady } from './ready.ts';

export interface CliConfig {
  /** Base address with its /v1, without a slash at the end. */
  readonly api: string;
  readonly key: string;
}

/**
 * Address and key of the command line: flags first, then MUSTER_API and MUSTER_KEY, then the installation that
 * `npm run up` keeps in MUSTER_DATA. Throws ConfigError naming what is missing.
 */
export function readCliConfig(env: Environment, flags: { api?: string | undefined; key?: string | undefined }): CliConfig {
  const given = { api: flags.api ?? (env['MUSTER_API'] || undefined), key: flags.key ?? (env['MUSTER_KEY'] || undefined) };
  // Address and key are taken from one place: otherwise a key would be sent to an address that it is not for.
  const ready = given.api === undefined && given.key === undefined ? readReady(env) : undefined;
  const { api = ready?.api, key = ready?.apiKey } = given;
  const problems: string[] = [];
  if (api === undefined) problems.push('MUSTER_API: no address: give --api or MUSTER_API, or start an installation here with npm run up');
  else if (!URL.canParse(api) || !/^https?:$/.test(new URL(api).protocol)) problems.push(`MUSTER_API: must be an http:// or https:// address, not ${api}`);
  if (key === undefined) problems.push('MUSTER_KEY: no API key: give --key or MUSTER_KEY');
  if (api === undefined || key === undefined || problems.length > 0) throw new ConfigError(problems);
  return { api: `${api.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`, key };
}
