# SPDX-License-Identifier: GPL-2.0-or-later
# Docker's socket makes whoever may write to it root: the agent only ever asks it. A proxy notes what it
# asks, through a life of containers, and hands on nothing but GET.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh

shop_begin dockerget
cat >"$LAB/proxy.py" <<'END'
import re, socket, sys, threading

def line(f, data):
    for m in re.findall(rb"(?m)^([A-Za-z]+) (\S+) HTTP/1\.[01]\r$", data):
        f.write(b" ".join(m) + b"\n")
        f.flush()
    return not re.search(rb"(?m)^(?!GET )[A-Za-z]+ \S+ HTTP/1\.[01]\r$", data)

def pump(a, b, log):
    while data := a.recv(65536):
        if log and not line(log, data):
            break
        b.sendall(data)
    for s in (a, b):
        s.shutdown(socket.SHUT_RDWR)

def quiet(*args):
    try:
        pump(*args)
    except OSError:
        pass

def serve(c, log):
    e = socket.socket(socket.AF_UNIX)
    e.connect(sys.argv[2])
    threading.Thread(target=quiet, args=(c, e, log), daemon=True).start()
    quiet(e, c, None)

with socket.socket(socket.AF_UNIX) as s, open(sys.argv[3], "ab") as log:
    s.bind(sys.argv[1])
    s.listen(64)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=(s.accept()[0], log), daemon=True).start()
END
bg proxy node /usr/bin/python3 "$LAB/proxy.py" "$LAB/proxy.sock" "$LAB/engine/docker.sock" "$LAB/methods"
t "the proxy is there" wait_until "$DEADLINE" grep -qs ready "$LAB/proxy.out"

noted()
{
	grep -qs "$1" "$LAB/methods"
}
# The proxy itself: what is no GET is seen, and goes nowhere.
refuses_post()
{
	! curl -s -m 5 --unix-socket "$LAB/proxy.sock" -X POST http://d/containers/prune && noted '^POST '
}
t "another method is noted and refused" refuses_post
rm "$LAB/methods"
kill_wait "${LAB_PIDS[-1]}"
rm -f "$LAB/proxy.sock"
bg proxy node /usr/bin/python3 "$LAB/proxy.py" "$LAB/proxy.sock" "$LAB/engine/docker.sock" "$LAB/methods"
t "the proxy is there again" wait_until "$DEADLINE" grep -qs ready "$LAB/proxy.out"

service_policy db db 'ingress: [{from: [{service: api}], ports: [tcp/5432]}]'
t "the agent is ready" agent_start agent node --runtime "docker:$LAB/proxy.sock" --policies "$LAB/policies"
t "a container starts" ct db db --network one "$IMAGE" netprobe serve tcp:5432
t "it is enforced" enforced db 1
life()
{
	dk network connect two db && enforced db 2 && dk pause db && dk unpause db && dk rename db db2 &&
		dk network disconnect two db2 && dk restart -t 0 db2 && enforced db2 1 &&
		dk network create three && dk network rm three && dk rm -f db2
}
t "it lives through what containers do" life
t "reload" vw agent reload
t "the agent stops in order" agent_stop agent
t "it asked for much" eval '[ "$(wc -l <"$LAB/methods")" -ge 6 ]'
note "requests: $(sed 's/[0-9a-f]\{64\}/ID/; s/?.*//' "$LAB/methods" | sort | uniq -c | sort -rn | awk '{printf "%s%s %s %s", s, $1, $2, $3; s = ", "}')"
only_get()
{
	! grep -v '^GET ' "$LAB/methods"
}
t "all of it by GET" only_get
tap_done
