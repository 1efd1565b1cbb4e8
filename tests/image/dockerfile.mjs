// Builds a Dockerfile without Docker, where no image can be pulled: debootstrap stands for debian:12, each stage is a folder,
// RUN is chroot. Knows the instructions that deploy/Dockerfile has, and refuses others.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 256 << 20, ...options });
  assert.equal(result.status, 0, `${command} ${args.join(' ')}\n${result.error ?? ''}${result.stdout?.slice(-4000)}${result.stderr?.slice(-4000)}`);
  return result.stdout;
}

// Instructions with their words; continued lines are one.
export function instructions(text) {
  return text.replace(/\\\n/g, ' ').split('\n').filter((line) => line.trim() && !line.startsWith('#')).map((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line);
    return { name, rest };
  });
}

// A fresh Debian 12, made once.
function debian(folder) {
  const made = join(folder, 'debian-12');
  if (!existsSync(made)) {
    rmSync(`${made}.part`, { recursive: true, force: true });
    run('debootstrap', ['--variant=minbase', 'bookworm', `${made}.part`]);
    renameSync(`${made}.part`, made);
  }
  return made;
}

const copy = (from, to) => run('cp', ['-a', '--no-target-directory', from, to]);

function chroot(root, directory, script) {
  // Its own mounts, so that nothing of them is left; the network is needed for packages.
  const inside = `mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh -c 'cd "$0" && eval "$1"' "$1" "$2"`;
  return run('unshare', ['--mount', 'sh', '-c', inside, root, directory, script],
    { env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' } });
}

export class Image {
  // `replace(script, root)` may do what a RUN would, and says whether it did.
  static build(file, { context, folder, replace = () => false }) {
    mkdirSync(folder, { recursive: true });
    const image = new Image();
    const stages = {};
    let stage;
    for (const { name, rest } of instructions(readFileSync(file, 'utf8'))) {
      if (name === 'FROM') {
        const [base, , alias] = rest.split(/\s+/);
        stage = { root: join(folder, `stage-${alias ?? 'last'}`), directory: '/' };
        rmSync(stage.root, { recursive: true, force: true });
        if (base === 'scratch') mkdirSync(stage.root);
        else if (/^debian:12(-slim)?$/.test(base)) copy(debian(folder), stage.root);
        else throw new Error(`nothing stands for ${base}`);
        if (base !== 'scratch') cpSync('/etc/resolv.conf', join(stage.root, 'etc/resolv.conf'), { dereference: true });
        if (alias) stages[alias] = stage;
      } else if (name === 'WORKDIR') {
        stage.directory = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
      } else if (name === 'COPY') {
        image.copy(stage, stages, context, rest.split(/\s+/));
      } else if (name === 'RUN') {
        if (!replace(rest, join(stage.root, stage.directory))) chroot(stage.root, stage.directory, rest);
      } else if (['USER', 'ENTRYPOINT', 'CMD', 'EXPOSE', 'STOPSIGNAL'].includes(name)) {
        image[name.toLowerCase()] = rest.startsWith('[') ? JSON.parse(rest) : rest;
      } else {
        throw new Error(`${name} is not known here`);
      }
    }
    image.root = stage.root;
    return image;
  }

  copy(stage, stages, context, words) {
    const [from] = words[0].startsWith('--from=') ? [stages[words.shift().slice(7)].root] : [undefined];
    const [source, target] = words;
    const to = join(stage.root, target.startsWith('/') ? target : join(stage.directory, target));
    mkdirSync(dirname(to), { recursive: true });
    if (from) copy(join(from, source), to);
    else if (source === '.') run('sh', ['-c', 'git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -c | tar -x -C "$0"', to], { cwd: context });
    else copy(join(context, source), to.endsWith('/') ? join(to, basename(source)) : to);
  }
}
