import type { Row } from './row.ts';
import { databasePool, providerBlackHole } from './rows/black-hole.ts';
import { diskFull } from './rows/disk-full.ts';
import { poisonProcess, poisonRows } from './rows/poison.ts';
import { postgresCrash, postgresFailover } from './rows/postgres-crash.ts';
import { providerDies, providerErrors, providerSilentBulk, providerSilentLife, providerSlow, providerSlowLane, providerThrottles } from './rows/provider.ts';
import { pushErrors, pushSilent, pushThrottles } from './rows/push.ts';
import { redisAbsent, redisFlush, redisKill } from './rows/redis-away.ts';
import { redisCluster } from './rows/redis-cluster.ts';
import { rollingRestart } from './rows/rolling-restart.ts';
import { lostReply, samePost } from './rows/same-post.ts';
import { clockSkew, schedulers } from './rows/schedule.ts';
import { correct, stop, stopSlow } from './rows/stop.ts';
import { stopCutOff } from './rows/stop-cut-off.ts';
import { workerFreeze } from './rows/worker-freeze.ts';
import { workerKillBulk, workerKillLife } from './rows/worker-kill.ts';

/** Every fault, in the order in which they run. */
export const ROWS: readonly Row[] = [
  workerKillBulk,
  workerKillLife,
  workerFreeze,
  redisFlush,
  redisKill,
  redisAbsent,
  redisCluster,
  postgresCrash,
  postgresFailover,
  lostReply,
  samePost,
  providerSilentBulk,
  providerSilentLife,
  providerThrottles,
  providerErrors,
  providerSlow,
  providerSlowLane,
  providerDies,
  providerBlackHole,
  pushThrottles,
  pushErrors,
  pushSilent,
  databasePool,
  stop,
  stopSlow,
  stopCutOff,
  correct,
  rollingRestart,
  poisonRows,
  poisonProcess,
  schedulers,
  clockSkew,
  diskFull,
];
