/** Which refusals are left out, and for how long others are held back. */
import { describe, expect, it } from 'vitest';
import { createProbeFilter, isService } from '../../src/probes.ts';
import type { DecidedRecord } from '../../src/records.ts';

const UDP: DecidedRecord = {
  kind: 'denied',
  timeMs: 1000,
  pid: 7,
  tid: 7,
  program: 'curl',
  call: 'connect',
  protocol: 'udp',
  address: '192.0.2.1',
  port: 443,
  errno: 111,
  dropped: 0,
};
const TCP: DecidedRecord = { ...UDP, protocol: 'tcp' };

describe('a refused UDP connect', () => {
  it('is left out when its process then connects by TCP to that port, refused or not', () => {
    for (const kind of ['denied', 'allowed'] as const) {
      const filter = createProbeFilter();
      expect(filter.push(UDP)).toEqual([]);
      expect(filter.push({ ...UDP, address: '192.0.2.2' })).toEqual([]);
      const tcp = { ...TCP, kind, timeMs: 1100 };
      expect(filter.push(tcp)).toEqual([tcp]);
      expect([filter.flush(), filter.nextMs]).toEqual([[], undefined]);
    }
  });

  it.each(['0.0.0.0', '::'])(
    'to %s is left out when its process then binds that port by TCP',
    (address) => {
      const filter = createProbeFilter();
      filter.push({ ...UDP, address });
      const bind = { ...TCP, call: 'bind' as const };
      expect([...filter.push(bind), ...filter.flush()]).toEqual([bind]);
    },
  );

  it('is told after a moment when nothing explains it', () => {
    const filter = createProbeFilter();
    filter.push(UDP);
    expect(filter.nextMs).toBe(1250);
    expect(filter.due(1249)).toEqual([]);
    expect(filter.due(1250)).toEqual([UDP]);
    expect(filter.nextMs).toBeUndefined();
  });

  it.each([
    ['another process', { pid: 8 }],
    ['another port', { port: 80 }],
    ['a bind', { call: 'bind' as const }],
  ])('is not explained by %s', (_, change) => {
    const filter = createProbeFilter();
    filter.push(UDP);
    filter.push({ ...TCP, ...change });
    expect(filter.flush()).toEqual([UDP]);
  });

  it('comes before a record that is later than its time', () => {
    const filter = createProbeFilter();
    filter.push(UDP);
    const later = { ...TCP, port: 1, timeMs: 1300 };
    expect(filter.push(later)).toEqual([UDP, later]);
  });

  it('to a port that resolvers take when they have none is always a probe', () => {
    const filter = createProbeFilter();
    for (const port of [0, 9, 65535]) expect(filter.push({ ...UDP, port })).toEqual([]);
    expect(filter.flush()).toEqual([]);
  });
});

describe('other records', () => {
  it.each([
    ['a datagram', { call: 'sendto' as const }],
    ['an observed connect', { errno: 0 }],
    ['an allowed one', { kind: 'allowed' as const, errno: 0 }],
    ['ping', { protocol: 'icmp' as const, port: 0 }],
    ['a UNIX socket', { protocol: 'unix' as const, address: '/run/docker.sock' }],
  ])('%s is told at once', (_, change) => {
    const record = { ...UDP, ...change };
    expect(createProbeFilter().push(record)).toEqual([record]);
  });

  it('about system services that libraries try unasked are left out', () => {
    const tried = (address: string): number =>
      createProbeFilter().push({ ...UDP, protocol: 'unix', address }).length;
    for (const path of ['/dev/log', '/var/run/nscd/socket', '/run/dbus/system_bus_socket']) {
      expect([path, tried(path), isService(path)]).toEqual([path, 0, true]);
    }
    for (const path of ['/dev/log2', '/run/nscd', '/tmp/run/nscd/socket', '@/dev/log']) {
      expect([path, tried(path), isService(path)]).toEqual([path, 1, false]);
    }
  });
});
