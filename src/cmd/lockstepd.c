/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's main(). */
int main(void)
{
    return 0;
}
