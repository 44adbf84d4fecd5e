/* The smallest command, for measuring starts: link it statically. */
int main(void) { return 0; }
