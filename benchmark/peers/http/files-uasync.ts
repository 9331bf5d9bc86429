/** uasync/http, the files of a folder. `node files-uasync.js FOLDER [port] [host]` */
import { serve, serveStatic } from 'uasync/http';

const [folder = '.', port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serve(serveStatic(folder), { port: Number(port), host });
console.log(`listening on ${server.url.host}`);
