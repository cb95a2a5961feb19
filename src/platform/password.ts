import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';

// The OWASP cheat sheet on password storage asks for argon2id with 19 MiB, 2 passes and 1 lane.
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1 } as const;

const hash = (password: string, nonce: Buffer): Promise<Buffer> =>
  new Promise((done, fail) => {
    argon2('argon2id', { message: password, nonce, tagLength: 32, ...PARAMETERS }, (error, key) => (error ? fail(error) : done(key)));
  });

/** @returns a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash` */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16);
  const key = await hash(password, nonce);
  return `$argon2id$v=19$m=${PARAMETERS.memory},t=${PARAMETERS.passes},p=${PARAMETERS.parallelism}$${b64(nonce)}$${b64(key)}`;
}

export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const [, kind, , , salt, expected] = phc.split('$');
  if (kind !== 'argon2id' || !salt || !expected) return false;
  const key = await hash(password, Buffer.from(salt, 'base64'));
  const wanted = Buffer.from(expected, 'base64');
  return key.length === wanted.length && timingSafeEqual(key, wanted);
}

const b64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
