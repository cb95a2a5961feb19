import { ConfigError, processEnvironment, readUpConfig } from '#platform/config.ts';
import { createLog } from '#platform/log.ts';
import { migrateAll } from './migrate.ts';

// `npm run migrate`: run before the processes of a new version. Needs DATABASE_URL alone, as a user who may create roles.
if (process.argv.includes('--help')) {
  process.stdout.write('muster migrate\n\nBrings the database at DATABASE_URL to the present version, and ends.\n');
} else {
  try {
    const { databaseUrl, logLevel } = readUpConfig(processEnvironment());
    if (databaseUrl === undefined) throw new ConfigError(['DATABASE_URL: is required']);
    const applied = await migrateAll(databaseUrl);
    createLog('migrate', logLevel).info({ applied }, applied.length > 0 ? 'migrated' : 'nothing to migrate');
  } catch (error) {
    // 78: sysexits.h EX_CONFIG, which supervisors take as "starting again would not mend it".
    process.exitCode = error instanceof ConfigError ? 78 : 1;
    process.stderr.write(`migrate: ${(error as Error).message}\n`);
  }
}
