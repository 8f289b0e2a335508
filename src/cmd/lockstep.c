/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool's main(). */
int main(void)
{
    return 0;
}
