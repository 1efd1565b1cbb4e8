// deploy/Dockerfile built step by step, and the containers of deploy/compose.yaml run from it: read-only, without root.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { parse } from '../helm/node_modules/yaml/dist/index.js';
import { Image, run } from './dockerfile.mjs';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const built = resolve(repository, process.env.TRUNKLINE_BUILD ?? 'build/release');
const folder = join(repository, 'build/image');
const compose = parse(readFileSync(join(repository, 'deploy/compose.yaml'), 'utf8'), { merge: true });

// Compiling is what every other kind of test has done already, on the same Debian: its program is taken, unless
// TRUNKLINE_IMAGE_BUILD=1.
function instead(script, directory) {
  if (process.env.TRUNKLINE_IMAGE_BUILD === '1' || !script.startsWith('cmake ')) return false;
  mkdirSync(join(directory, 'build/release'), { recursive: true });
  copyFileSync(join(built, 'trunkline'), join(directory, 'build/release/trunkline'));
  return true;
}

const image = Image.build(join(repository, 'deploy/Dockerfile'), { context: repository, folder, replace: instead });

// Runs `script` in a network of its own, in which `container NAME ARGS...` is the image as a container of Compose would be:
// its root read-only, the volumes mounted, the image's user, no way to more rights.
function contained(script, volumes = {}) {
  const work = mkdtempSync(join(tmpdir(), 'trunkline-image-'));
  const [entry] = image.entrypoint;
  const mounts = Object.entries(volumes).map(([name, list]) => `${name}) ${list.map(([from, to]) => `touch "$root${to}"; mount --bind -o ro '${from}' "$root${to}"`).join('; ')} ;;`);
  const lines = `
set -eu
ip link set lo up
container() { # takes the place of the shell
  name=$1; shift
  root=${work}/$name
  cp -a ${image.root} "$root"
  mount --bind "$root" "$root"
  case $name in ${mounts.join(' ')} *) ;; esac
  mount -o remount,bind,ro "$root"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  exec setpriv --no-new-privs chroot --userspec=${image.user} "$root" ${entry} "$@"
}
ready() {
  for i in $(seq 600); do
    if (exec 3<>/dev/tcp/127.0.0.1/$1 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 ' <&3) 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  return 1
}
${script}`;
  const result = spawnSync('unshare', ['--mount', '--net', '--pid', '--fork', '--kill-child', 'bash', '-c', lines], { encoding: 'utf8', cwd: repository, timeout: 120_000 });
  rmSync(work, { recursive: true, force: true });
  return result;
}

test('the image is small, and holds no shell, no package manager and nothing with more rights', () => {
  const megabytes = Number(run('du', ['-sm', image.root]).split('\t')[0]);
  assert.ok(megabytes < 80, `${megabytes} MB`);
  for (const path of ['bin/sh', 'bin/bash', 'usr/bin/apt', 'usr/bin/dpkg', 'usr/bin/perl', 'bin/busybox']) assert.ok(!existsSync(join(image.root, path)), path);
  assert.equal(run('find', [image.root, '-perm', '/6000']), '', 'setuid');
  assert.equal(run('find', [image.root, '-not', '-type', 'l', '-perm', '/0022']), '', 'writable by others');
  assert.equal(run('find', [image.root, '(', '-not', '-uid', '0', '-o', '-not', '-gid', '0', ')']), '', 'not root\'s');
  assert.deepEqual(image.user, '65532:65532');
});

test('it runs from a read-only root as its user, and says its version', () => {
  const { status, stdout, stderr } = contained('container one --version');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^trunkline \d+\.\d+\.\d+\n$/);
});

// The containers of Compose, the gateway with this configuration: one call to the echo, one to the tone.
function call(configuration) {
  const volumes = {};
  for (const name of ['carrier', 'gateway']) {
    volumes[name] = compose.services[name].volumes.map((volume) => volume.split(':')).map(([from, to]) => [resolve(repository, 'deploy', from), to]);
  }
  if (configuration) volumes.gateway[0][0] = configuration;
  return contained(`
container carrier ${image.cmd.join(' ')} & carrier=$!
ready 9091
container gateway ${image.cmd.join(' ')} & gateway=$!
ready 9090
${join(built, 'tests/synthetic_browser/synthetic_browser')} check --url ws://127.0.0.1:8080 --user alice --password secret-a --domain example.test --dial 5551000 --tone-from-far 5550440
(container client trunks --endpoint 127.0.0.1:50051)  # the program is its own client
kill -TERM $gateway $carrier
wait $gateway; echo "gateway ended with $?"
wait $carrier; echo "carrier ended with $?"`, volumes);
}

test('the containers of Compose carry a call both ways, and end by SIGTERM', () => {
  for (const name of ['carrier', 'gateway']) {
    const service = compose.services[name];
    assert.deepEqual([service.read_only, service.user, service.cap_drop, service.network_mode], [true, image.user, ['ALL'], 'host']);
  }
  const { status, stdout, stderr } = call();
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^carrier +\w+ +\d of 100 /m, stdout);
  assert.match(stdout, /gateway ended with 0\ncarrier ended with 0/);
});

test('every SRTP engine finds what it loads by name', () => {
  const text = readFileSync(join(repository, 'deploy/gateway.yaml'), 'utf8');
  for (const engine of ['libsrtp', 'openssl']) {
    const file = join(folder, `${engine}.yaml`);
    writeFileSync(file, text.replace('\nmedia: { ', `\nmedia: { srtp_engine: ${engine}, `));
    assert.match(readFileSync(file, 'utf8'), /srtp_engine/);
    const { status, stdout, stderr } = call(file);
    assert.equal(status, 0, `${engine}: ${stdout}${stderr}`);
    assert.match(stdout, new RegExp(`"node":"gateway",.*"AEAD_AES_128_GCM":"${engine}: `), 'the engine works');
  }
});
