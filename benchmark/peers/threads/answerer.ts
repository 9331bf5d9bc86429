/** The other thread of messages.ts: answers every message, or only the question whether all have arrived. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { Channel, type ChannelEnd } from 'uasync';

const { way, end, port, answers } = workerData as {
  way: 'channel' | 'port';
  end: ChannelEnd;
  port: MessagePort;
  answers: boolean;
};

if (way === 'channel') {
  const channel = new Channel(end);
  await channel.send('ready');
  for await (const value of channel) if (answers || value === 'all?') await channel.send(value);
} else {
  port.postMessage('ready');
  port.on('message', value => {
    if (answers || value === 'all?') port.postMessage(value);
  });
}
