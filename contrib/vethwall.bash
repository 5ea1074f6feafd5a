# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vethwall(8). Options are asked from the command's own help, so they are never out of
# date.
_vethwall()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(vethwall --help 2>/dev/null | awk '/^Commands:/ {c = 1; next} /^$/ {c = 0} c {print $1}') help" -- "$cur")
		return
	fi
	case $prev in
	--format)
		case ${COMP_WORDS[1]} in
		diff) words="text json markdown html" ;;
		graph) words="html svg dot" ;;
		flows) words="text json csv html pcap" ;;
		*) words="text json" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W \
			"workload service namespace image peer peer_service peer_name src_ip dest_ip peer_ip dest_port proto direction policy rule event_type" -- "$cur")
		;;
	--sort) mapfile -t COMPREPLY < <(compgen -W "packets bytes records flows" -- "$cur") ;;
	--event) mapfile -t COMPREPLY < <(compgen -W "denied audited allowed overflow held" -- "$cur") ;;
	--direction) mapfile -t COMPREPLY < <(compgen -W "ingress egress" -- "$cur") ;;
	--fail-on)
		mapfile -t COMPREPLY < <(compgen -W \
			"cut opened closed opened-world opened-host isolated plan denied-live" -- "$cur")
		;;
	--source)
		mapfile -t COMPREPLY < <(compgen -W "live memory audited allowed denied" -- "$cur")
		;;
	--runtime) mapfile -t COMPREPLY < <(compgen -W "docker static:" -- "$cur") ;;
	--*dir | --policies | --against) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	*)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W \
				"$(vethwall "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u)" -- "$cur")
		elif [[ $prev == flows && $COMP_CWORD -eq 2 ]]; then
			mapfile -t COMPREPLY < <(compgen -W \
				"list top timeline scans first-seen live follow show verify" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}
complete -o filenames -F _vethwall vethwall
