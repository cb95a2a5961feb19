import type { Row } from './row.ts';
import { postgresCrash } from './rows/postgres-crash.ts';
import { redisAbsent, redisFlush, redisKill } from './rows/redis-away.ts';
import { workerFreeze } from './rows/worker-freeze.ts';
import { workerKillBulk, workerKillLife } from './rows/worker-kill.ts';

/** Every fault, in the order in which they run. */
export const ROWS: readonly Row[] = [workerKillBulk, workerKillLife, workerFreeze, redisFlush, redisKill, redisAbsent, postgresCrash];
