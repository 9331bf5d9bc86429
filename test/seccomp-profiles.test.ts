/** The seccomp profiles that the package ships. */
import t from 'tap';
import { built, output } from './programs.js';
import { profilePath, readProfile, withoutConditions } from './seccomp-profiles.js';

const THREE = ['io_uring_enter', 'io_uring_register', 'io_uring_setup'];

t.test('Docker’s profile allows io_uring, and denies what it does not name', async t => {
  const profile = readProfile('seccomp.json');
  t.equal(profile.defaultAction, 'SCMP_ACT_ERRNO');
  const allowed = profile.syscalls.filter(({ action, args, includes, excludes }) => {
    return (
      action === 'SCMP_ACT_ALLOW' && args === undefined && includes === undefined && excludes === undefined
    );
  });
  const names = new Set(allowed.flatMap(rule => rule.names));
  for (const name of [...THREE, 'epoll_pwait', 'openat', 'openat2', 'statx']) t.ok(names.has(name), name);
  for (const name of ['mount', 'bpf', 'unshare', 'reboot', 'init_module', 'userfaultfd']) {
    t.notOk(names.has(name), name);
  }
});

t.test('the one without conditions is made from it', async t => {
  t.same(readProfile('seccomp-oci.json'), withoutConditions(readProfile('seccomp.json')));
});

t.test('under its filter io_uring works, and unshare does not', async t => {
  const program = [
    built('test/fixtures/under-profile.js'),
    profilePath('seccomp-oci.json'),
    built('test/fixtures/under-filter.js'),
  ];
  try {
    const result = JSON.parse(await output(process.execPath, program));
    t.same(result, { filtered: true, available: true, unshared: -1 });
  } catch (error) {
    if (!/Failed to load shared library/.test(String(error))) throw error;
    t.comment('skipped: there is no libseccomp here');
  }
});
