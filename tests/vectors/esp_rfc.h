/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the RFCs print for implementers of ESP to test with. RFC 3602 4, cases 5 to 8: whole packets
 * under AES-128-CBC, but for the ICV, which the RFC leaves out. RFC 4868 2.7.2 and RFC 2202 3: HMACs,
 * cut as ESP cuts them.
 */
#ifndef VECTORS_ESP_RFC_H
#define VECTORS_ESP_RFC_H

struct rfc3602_case {
	unsigned int number;
	const char *key;
	const char *header; /* SPI, sequence number */
	const char *iv;
	const char *inner; /* behind it come padding 1, 2, 3…, its length, the next header */
	unsigned int pad, next_header;
	const char *sealed; /* the ciphertext */
};

/* clang-format off */
static const struct rfc3602_case rfc3602_cases[] = {
	{5, /* transport mode: an ICMP echo request of 56 octets of data */
		"90d382b4 10eeba7a d938c46c ec1a82bf",
		"00004321 00000001",
		"e96e8c08 ab465763 fd098d45 dd3ff893",
		"08000ebd a70a0000 8e9c083d b95b0700"
		"08090a0b 0c0d0e0f 10111213 14151617"
		"18191a1b 1c1d1e1f 20212223 24252627"
		"28292a2b 2c2d2e2f 30313233 34353637",
		14, 1,
		"f663c25d 325c18c6 a9453e19 4e120849"
		"a4870b66 cc6b9965 330013b4 898dc856"
		"a4699e52 3a55db08 0b59ec3a 8e4b7e52"
		"775b07d1 db34ed9c 538ab50c 551b874a"
		"a269add0 47ad2d59 13ac19b7 cfbad4a6"},
	{6, /* transport mode: an ICMP echo request of 20 octets of data */
		"90d382b4 10eeba7a d938c46c ec1a82bf",
		"00004321 00000008",
		"69d08df7 d203329d b093fc49 24e5bd80",
		"0800b5e8 a80a0500 a69c083d 0b660e00 77777777 77777777 77777777",
		2, 1,
		"f5199588 1ec4e0c4 488987ce 742e8109"
		"689bb379 d2d750c0 d915dca3 46a89f75"},
	{7, /* tunnel mode: the same with 56 octets, from 192.168.123.3 to 192.168.123.200 */
		"01234567 89abcdef 01234567 89abcdef",
		"00008765 00000002",
		"f4e76524 4f6407ad f13dc138 0f673f37",
		"45000054 09040000 4001f988 c0a87b03 c0a87bc8"
		"08009f76 a90a0100 b49c083d 02a20400"
		"08090a0b 0c0d0e0f 10111213 14151617"
		"18191a1b 1c1d1e1f 20212223 24252627"
		"28292a2b 2c2d2e2f 30313233 34353637",
		10, 4,
		"773b5241 a4c44922 5e4f3ce5 ed611b0c"
		"237ca96c f74a9301 3c1b0ea1 a0cf70f8"
		"e4ecaec7 8ac53aad 7a0f022b 859243c6"
		"47752e94 a859352b 8a4d4d2d ecd136e5"
		"c177f132 ad3fbfb2 201ac990 4c74ee0a"
		"109e0ca1 e4dfe9d5 a100b842 f1c22f0d"},
	{8, /* tunnel mode: an echo request of 40 octets of data */
		"01234567 89abcdef 01234567 89abcdef",
		"00008765 00000005",
		"85d47224 b5f3dd5d 2101d4ea 8dffab22",
		"45000044 090c0000 4001f990 c0a87b03 c0a87bc8"
		"0800d63c aa0a0200 c69c083d a3de0300"
		"ffffffff ffffffff ffffffff ffffffff"
		"ffffffff ffffffff ffffffff ffffffff",
		10, 4,
		"15b92683 819596a8 047232cc 00f7048f"
		"e45318e1 1f8a0f62 ede3c3fc 61203bb5"
		"0f980a08 c9843fd3 a1b06d5c 07ff9639"
		"b7eb7dfb 3512e5de 435e7207 ed971ef3"
		"d2726d9b 5ef6affc 6d17a0de cbb13892"},
};

struct rfc_hmac {
	const char *suite;
	const char *key;
	const char *data; /* eight octets and more: they stand for the packet, header first */
	const char *icv;
};

#define TIMES_4(text)     text text text text
#define HI_THERE          "48692054 68657265"
#define JEFE              "4a656665"
#define WHAT_DO_YA_WANT   "77686174 20646f20 79612077 616e7420 666f7220 6e6f7468 696e673f"
#define FIFTY_DD          TIMES_4(TIMES_4("dddddd")) "dddd"
#define FIFTY_CD          TIMES_4(TIMES_4("cdcdcd")) "cdcd"
#define SIXTEEN_0B        TIMES_4("0b0b0b0b")
#define SIXTEEN_AA        TIMES_4("aaaaaaaa")
#define ONE_TO_THIRTY_TWO "01020304 05060708 090a0b0c 0d0e0f10 11121314 15161718 191a1b1c 1d1e1f20"

static const struct rfc_hmac rfc_hmacs[] = {
	/* RFC 2202 3, 1 and 3, cut as RFC 2404 does */
	{"null-sha1", SIXTEEN_0B "0b0b0b0b", HI_THERE, "b6173186 55057264 e28bc0b6"},
	{"null-sha1", SIXTEEN_AA "aaaaaaaa", FIFTY_DD, "125d7342 b9ac11cd 91a39af4"},
	/* RFC 4868 2.7.2.1: AUTH256-1 to -4 */
	{"null-sha256", SIXTEEN_0B SIXTEEN_0B, HI_THERE, "198a607e b44bfbc6 9903a0f1 cf2bbdc5"},
	{"null-sha256", TIMES_4(JEFE JEFE), WHAT_DO_YA_WANT, "167f9285 88c5cc2e ef8e3093 caa0e87c"},
	{"null-sha256", SIXTEEN_AA SIXTEEN_AA, FIFTY_DD, "cdcb1220 d1ecccea 91e53aba 3092f962"},
	{"null-sha256", ONE_TO_THIRTY_TWO, FIFTY_CD, "372efcf9 b40b35c2 115b1346 903d2ef4"},
	/* 2.7.2.2: AUTH384-1 to -4, the last with the key that the RFC prints */
	{"null-sha384", SIXTEEN_0B SIXTEEN_0B SIXTEEN_0B, HI_THERE,
		"b6a8d563 6f5c6a72 24f9977d cf7ee6c7 fb6d0c48 cbdee973"},
	{"null-sha384", TIMES_4(JEFE JEFE JEFE), WHAT_DO_YA_WANT,
		"2c735397 4f1842fd 66d53c45 2ca42122 b28c0b59 4cfb184d"},
	{"null-sha384", SIXTEEN_AA SIXTEEN_AA SIXTEEN_AA, FIFTY_DD,
		"809f439b e0027432 1d4a5386 52164b53 554a5081 84a0c316"},
	{"null-sha384", ONE_TO_THIRTY_TWO "0a0b0c0d 0e0f1011 12131415 16171819", FIFTY_CD,
		"5b540085 c6e63580 96532b24 93609ed1 cb298f77 4f87bb5c"},
	/* 2.7.2.3: AUTH512-1 to -4 */
	{"null-sha512", SIXTEEN_0B SIXTEEN_0B SIXTEEN_0B SIXTEEN_0B, HI_THERE,
		"637edc6e 01dce7e6 742a9945 1aae82df 23da3e92 439e590e 43e761b3 3e910fb8"},
	{"null-sha512", TIMES_4(TIMES_4(JEFE)), WHAT_DO_YA_WANT,
		"cb370917 ae8a7ce2 8cfd1d8f 4705d614 1c173b2a 9362c15d f235dfb2 51b15454"},
	{"null-sha512", SIXTEEN_AA SIXTEEN_AA SIXTEEN_AA SIXTEEN_AA, FIFTY_DD,
		"2ee7acd7 83624ca9 398710f3 ee05ae41 b9f9b051 0c87e49e 586cc9bf 961733d8"},
	{"null-sha512", ONE_TO_THIRTY_TWO
		"21222324 25262728 292a2b2c 2d2e2f30 31323334 35363738 393a3b3c 3d3e3f40",
		FIFTY_CD,
		"5e6688e5 a3daec82 6ca32eae a224eff5 e7006289 47470e13 ad013025 61bab108"},
};
/* clang-format on */

#endif
