import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

export interface CertificateFiles {
  readonly keyFile: string;
  readonly certFile: string;
}

/**
 * Writes a key and a certificate into the folder, valid for localhost and 127.0.0.1, today; undefined where openssl is
 * missing.
 */
export function writeCertificate(folder: string): CertificateFiles | undefined {
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const made = spawnSync('openssl', ['req', '-x509', ...options, '-addext', names, '-keyout', keyFile, '-out', certFile]);
  return made.status === 0 ? { keyFile, certFile } : undefined;
}

/** The same, read into memory. */
export function makeCertificate(): { key: string; cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tls-'));
  try {
    const files = writeCertificate(folder);
    return files && { key: readFileSync(files.keyFile, 'utf8'), cert: readFileSync(files.certFile, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes this process trust the certificate. @returns ends that */
export function trust(cert: string): () => void {
  const known = getCACertificates('default');
  setDefaultCACertificates([...known, cert]);
  return () => setDefaultCACertificates(known);
}
