import { expect, test } from 'vitest';
import { readUpload } from './multipart.ts';

const boundary = '----formdata-1234';
const type = `multipart/form-data; boundary=${boundary}`;

function body(file: string): Buffer {
  return Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\ntoken\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\nContent-Type: text/csv\r\n\r\n${file}\r\n--${boundary}--\r\n`,
  );
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

const text = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
  const all: Uint8Array[] = [];
  for await (const piece of stream) all.push(piece);
  return Buffer.concat(all).toString();
};

test.each([1, 2, 7, 33, 100_000])('the file comes out whole from pieces of %i bytes', async (size) => {
  const file = `name,phone\r\nÄda,+15550001\r\n--${boundary.slice(0, -1)}\r\n`;
  const upload = await readUpload(type, pieces(body(file), size));
  expect(upload.fields.get('_csrf')).toBe('token');
  expect(upload.fileName).toBe('people.csv');
  expect(await text(upload.file)).toBe(file);
});

test('an empty file is an empty stream', async () => {
  expect(await text((await readUpload(type, pieces(body(''), 10))).file)).toBe('');
});

test('what ends early is refused, not taken for a whole file', async () => {
  const upload = await readUpload(type, pieces(body('name\r\nAda\r\n').subarray(0, -30), 16));
  await expect(text(upload.file)).rejects.toMatchObject({ code: 'malformed_upload' });
  await expect(readUpload(type, pieces(Buffer.from('hello'), 2))).rejects.toMatchObject({ code: 'malformed_upload' });
  await expect(readUpload('multipart/form-data', pieces(body('x'), 2))).rejects.toMatchObject({ code: 'malformed_upload' });
});

test('a form without a file names what is missing', async () => {
  const bytes = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\ntoken\r\n--${boundary}--\r\n`);
  await expect(readUpload(type, pieces(bytes, 5))).rejects.toMatchObject({ code: 'file_required' });
});

test('a field that never ends is refused before it fills the memory', async () => {
  const bytes = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${'x'.repeat(100_000)}`);
  await expect(readUpload(type, pieces(bytes, 1024))).rejects.toMatchObject({ code: 'malformed_upload' });
});
