/** The socket options of a UDP handle, with the interface of Node's native one. */
import { getSystemErrorMap } from 'node:util';
import {
  membership,
  outgoingInterface,
  type SocketOption,
  sourceMembership,
} from '../../net/datagram/multicast.js';
import {
  BROADCAST,
  HOPS,
  type IpOption,
  MULTICAST_HOPS,
  MULTICAST_LOOP,
  type OptionName,
  RECEIVE_BUFFER,
  SEND_BUFFER,
} from '../../net/datagram/plain-options.js';
import { EBADF, EINVAL } from '../../sys/abi/errno.js';
import { interfaceIndex } from '../../sys/libc/interfaces.js';
import { libc } from '../../sys/libc/libc.js';
import { intOption, setIntOption } from '../int-option.js';

const INT_MAX = 0x7fffffff;

/** The settable options of a UDP handle. Results are 0 or a negative errno. */
export abstract class UdpOptions {
  abstract fd: number;
  protected abstract get isIPv6(): boolean;
  /** Binds a handle without a socket. */
  protected abstract bound(): number;

  protected set(level: number, name: number, value: number): number {
    return setIntOption(this.fd, level, name, value);
  }

  #setInt({ level, name }: OptionName, value: number): number {
    return this.set(level, name, value);
  }

  /** Sets one of two options, according to the socket's family. */
  #setByFamily({ ipv4, ipv6 }: IpOption, value: number): number {
    return this.#setInt(this.isIPv6 ? ipv6 : ipv4, value);
  }

  #setOption(option: () => SocketOption): number {
    let found: SocketOption;
    try {
      found = option();
    } catch {
      return EINVAL;
    }
    const { level, name, value } = found;
    if (typeof value === 'number') return this.set(level, name, value);
    return this.fd < 0 ? EBADF : libc().setsockopt(this.fd, level, name, value);
  }

  #setMembership(option: () => SocketOption): number {
    const failed = this.bound();
    return failed < 0 ? failed : this.#setOption(option);
  }

  addMembership(group: string, at?: string): number {
    return this.#setMembership(() => membership(true, group, interfaceOf(at)));
  }

  dropMembership(group: string, at?: string): number {
    return this.#setMembership(() => membership(false, group, interfaceOf(at)));
  }

  addSourceSpecificMembership(source: string, group: string, at?: string): number {
    return this.#setMembership(() => sourceMembership(true, source, group, interfaceOf(at)));
  }

  dropSourceSpecificMembership(source: string, group: string, at?: string): number {
    return this.#setMembership(() => sourceMembership(false, source, group, interfaceOf(at)));
  }

  setMulticastInterface(address: string): number {
    return this.#setOption(() => outgoingInterface(interfaceOf(address)!));
  }

  setMulticastTTL(ttl: number): number {
    if (!(ttl >= 0 && ttl <= 255)) return EINVAL;
    return this.#setByFamily(MULTICAST_HOPS, ttl);
  }

  setMulticastLoopback(enable: number): number {
    return this.#setByFamily(MULTICAST_LOOP, enable);
  }

  setBroadcast(enable: number): number {
    return this.#setInt(BROADCAST, enable);
  }

  setTTL(ttl: number): number {
    if (!(ttl >= 1 && ttl <= 255)) return EINVAL;
    return this.#setByFamily(HOPS, ttl);
  }

  /** Sets the size of a buffer, or reads it if `size` is 0; undefined on failure, which `context` then describes. */
  bufferSize(size: number, receives: boolean, context: object): number | undefined {
    const option = receives ? RECEIVE_BUFFER : SEND_BUFFER;
    let result = size > INT_MAX ? EINVAL : intOption(this.fd, option.level, option.name);
    if (result >= 0 && size !== 0) {
      const failed = this.#setInt(option, size);
      result = failed < 0 ? failed : size;
    }
    if (result >= 0) return result;
    const [code, message] = getSystemErrorMap().get(result) ?? [];
    const syscall = receives ? 'uv_recv_buffer_size' : 'uv_send_buffer_size';
    Object.assign(context, { errno: result, code, message, syscall });
    return undefined;
  }
}

/** The given interface, but without a scope that does not exist: like libuv, which then lets the system choose. */
function interfaceOf(given: string | undefined | null): string | undefined {
  const [address, scope] = String(given ?? '').split('%');
  if (scope === undefined || /^\d+$/.test(scope) || interfaceIndex(scope) !== 0) return given ?? undefined;
  return address;
}
