// The Pod Security Standard "restricted", as far as Linux pods go: what of a pod is against it.
const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];
const SYSCTLS = ['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'];

export function againstRestricted(spec) {
  const wrong = [];
  const refuse = (condition, what) => condition && wrong.push(what);
  const context = spec.securityContext ?? {};
  refuse(spec.hostNetwork, 'hostNetwork');
  refuse(spec.hostPID || spec.hostIPC, 'host namespaces');
  for (const { name } of context.sysctls ?? []) refuse(!SYSCTLS.includes(name), `sysctl ${name}`);
  for (const volume of spec.volumes ?? []) {
    const [type] = Object.keys(volume).filter((key) => key !== 'name');
    refuse(!VOLUMES.includes(type), `volume ${type}`);
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const own = container.securityContext ?? {};
    const at = (what) => `${container.name}: ${what}`;
    const effective = (key) => own[key] ?? context[key];
    refuse(own.privileged, at('privileged'));
    refuse(own.allowPrivilegeEscalation !== false, at('allowPrivilegeEscalation'));
    refuse(effective('runAsNonRoot') !== true, at('runAsNonRoot'));
    refuse(effective('runAsUser') === 0, at('runAsUser 0'));
    refuse(!['RuntimeDefault', 'Localhost'].includes(effective('seccompProfile')?.type), at('seccompProfile'));
    refuse(!own.capabilities?.drop?.includes('ALL'), at('capabilities not dropped'));
    refuse((own.capabilities?.add ?? []).some((name) => name !== 'NET_BIND_SERVICE'), at('capabilities added'));
    refuse(own.procMount !== undefined && own.procMount !== 'Default', at('procMount'));
    for (const port of container.ports ?? []) refuse(port.hostPort, at(`hostPort ${port.hostPort}`));
  }
  return wrong;
}
