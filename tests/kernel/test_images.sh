# SPDX-License-Identifier: GPL-2.0-or-later
# A container whose image leaves the approved list is cut off, and is back when the image is listed again.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"

good=sha256:$(printf 'a%.0s' $(seq 64))
other=sha256:$(printf 'b%.0s' $(seq 64))

lab_begin images
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a "image_id=$good"
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b image=registry.local/api:1
ct_add odd br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c
world_write
for s in web api odd; do serve $s tcp:80; done

mkdir "$LAB/policies" "$LAB/lists" "$LAB/a"
cat >"$LAB/policies/quarantine.yaml" <<-END
	apiVersion: vethwall/v1
	kind: GuardrailPolicy
	metadata: {name: unapproved}
	spec:
	  priority: 1
	  subjects: {imageNotIn: approved}
	  ingress: [{name: quarantine, action: deny}]
	  egress: [{name: quarantine, action: deny}]
END
echo "image_lists: [{name: approved, file: $LAB/lists/approved.txt}]" >"$LAB/a/vethwall.yaml"
approve()
{
	printf '%s\n' "$@" >"$LAB/lists/new" && mv "$LAB/lists/new" "$LAB/lists/approved.txt"
}
hold()
{
	bg hold web "$NETPROBE" -t 2000 hold 10.77.0.11 80
	HELD=$!
}
status_is()
{
	vw a status --format json | jq -e "$@" >/dev/null
}

t "the agent starts without the list" agent_start a node --runtime "static:$LAB/world.yaml" \
	--policies "$LAB/policies"
t "and says that it is not there" grep -q 'image list approved: .*NOT THERE' "$LAB/a/agent.out"
t "status as well" status_is '.healthy == false and .image_lists[0].read == false'
t "nobody is approved then" denied web tcp/80 10.77.0.11
approve "# ours" "$good" registry.local/api:1
t "a list that appears is taken" wait_until 20 allowed web tcp/80 10.77.0.11
t "over IPv6 too" allowed web tcp/80 fd77::b
t "status counts it" status_is '.healthy and .image_lists[0].entries == 2'
t "an image that nobody knows is in quarantine" denied odd tcp/80 10.77.0.11
t "and not reached" denied web tcp/80 10.77.0.12
hold
sleep 0.5
approve "$other" registry.local/api:1
t "an image that is listed no more is cut off" wait_until 20 denied web tcp/80 10.77.0.11
t "with its live connection" wait_until 20 pid_gone "$HELD"
echo "$good" >>"$LAB/lists/approved.txt"
t "and back when it is listed again" wait_until 20 allowed web tcp/80 10.77.0.11
echo "sha256:nonsense" >>"$LAB/lists/approved.txt"
t "a broken list is said with its place" wait_until 20 grep -q 'approved.txt:4:1: .*nonsense' "$LAB/a/agent.out"
t "and degrades" status_is '.healthy == false and (.image_lists[0].error | test("nonsense"))'
t "what was read before stays" allowed web tcp/80 10.77.0.11
t "quarantine as well" denied odd tcp/80 10.77.0.11
rm "$LAB/lists/approved.txt"
t "so it does when the list is removed" wait_until 20 status_is '.image_lists[0].error | test("cannot be read")'
t "for whom it approved" allowed web tcp/80 10.77.0.11
t "the agent stops in order" agent_stop a
tap_done
