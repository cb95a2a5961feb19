import { createWriteStream } from 'node:fs';
import { createServer, type Socket } from 'node:net';

// This process stands in for smtp-sink where Postfix is not installed: it takes every message and writes the same counter line.
const [port, counter] = process.argv.slice(2);
process.on('disconnect', () => process.exit(0));
const counts = createWriteStream(counter ?? '/dev/null', { flags: 'a' });
let messages = 0;

function converse(socket: Socket): void {
  let text = '';
  let inBody = false;
  socket.setEncoding('latin1').setNoDelay();
  socket.on('error', () => socket.destroy());
  socket.write('220 sink ESMTP\r\n');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (;;) {
      const end = text.indexOf(inBody ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const line = text.slice(0, end);
      text = text.slice(end + (inBody ? 5 : 2));
      if (inBody) {
        inBody = false;
        messages += 1;
        counts.write(`sess=0 quit=0 mesg=${messages}\r`);
        socket.write('250 2.0.0 Ok\r\n');
      } else if (reply(socket, line)) inBody = true;
    }
  });
}

/** @returns whether the message's content follows */
function reply(socket: Socket, line: string): boolean {
  const verb = line.slice(0, 4).toUpperCase();
  if (verb === 'DATA') socket.write('354 End data with <CR><LF>.<CR><LF>\r\n');
  else if (verb === 'EHLO') socket.write('250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n');
  else if (verb === 'QUIT') socket.end('221 Bye\r\n');
  else socket.write('250 2.0.0 Ok\r\n');
  return verb === 'DATA';
}

createServer(converse).listen(Number(port), '127.0.0.1', 512);
