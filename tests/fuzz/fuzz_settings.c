/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall.yaml, and the small languages that are in settings, policies and arguments: ports,
 * addresses, times. */
#include "fuzz.h"
#include "vethwall/codec.h"
#include "vethwall/flow.h"

static void words(const char *s)
{
	char buf[VW_OUTPUT_ADDRESS_MAX], addr[VW_ADDR_STRLEN];
	struct vw_output_settings out = {.kind = VW_OUTPUT_JSON}, again = out;
	struct vw_port port = {0};
	struct vw_addr a, b;
	struct vw_prefix prefix;
	struct vw_mac mac;
	const char *why = NULL;
	uint8_t proto;
	uint16_t n;
	int64_t us;
	int r = vw_port_parse(s, &port, &why);

	must(!r || (r == -EINVAL && why));
	must(r || port.any_proto || port.name || port.lo <= port.hi);
	free(port.name);
	(void)vw_probe_port_parse(s, &proto, &n, &why);
	if (!vw_addr_parse(s, &a))
		must(!vw_addr_parse(vw_addr_str(&a, addr), &b) && vw_addr_eq(&a, &b));
	(void)vw_prefix_parse(s, true, &prefix);
	(void)vw_mac_parse(s, &mac);
	(void)vw_time_parse(s, strlen(s), &us);
	if (!vw_output_address_parse(s, &out))
		must(!vw_output_address_parse(vw_output_address_str(&out, buf), &again) &&
		     out.port == again.port && out.transport == again.transport);
	vw_output_settings_done(&out);
	vw_output_settings_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_settings s;
	struct vw_diag d = {0};
	char text[128];
	int r;

	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		words(text);
	}
	must(!vw_settings_default(&s));
	r = vw_settings_parse((const char *)data, size, "vethwall.yaml", &s, &d);
	must(!r || r == -EINVAL);
	must_tell(r, &d);
	vw_settings_done(&s);
	return 0;
}
