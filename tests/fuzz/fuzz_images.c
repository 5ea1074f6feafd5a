/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of images and scanners' reports; the first byte says whose form it is. */
#include "fuzz.h"
#include "vethwall/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_image_source src = {.name = (char[]){"list"}, .file = (char[]){"f"}};
	struct vw_image_list list = {0};
	struct vw_diag d = {0};
	int r;

	if (!size)
		return 0;
	src.format = data[0] % 3;
	src.severity = data[0] / 3 % _VW_SEV_MAX;
	r = vw_images_parse((const char *)data + 1, size - 1, "f", &src, &list, &d);
	must_tell(r, &d);
	vw_vec_foreach (e, &list.entries)
		must(strlen(*e) < VW_IMAGE_KEY_MAX);
	vw_image_list_done(&list);
	return 0;
}
