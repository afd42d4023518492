# SPDX-License-Identifier: MIT
# What Debian's xenstored 4.17 answered to domain 0 (speak.c says how to read
# this).  Made with: run-dom0, `speak /var/run/xenstored/socket`.

# ---- reading and writing
a WRITE 0 /evc/a|hello
= WRITE OK|
a READ 0 /evc/a|
= READ hello
a READ 0 /evc|
= READ 
a DIRECTORY 0 /evc|
= DIRECTORY a|
a DIRECTORY 0 /evc/a|
= DIRECTORY 
a GET_PERMS 0 /evc/a|
= GET_PERMS n0|
a WRITE 0 /evc/a|
= WRITE OK|
a READ 0 /evc/a|
= READ 
a WRITE 0 /evc/b|one|two|
= WRITE OK|
a READ 0 /evc/b|
= READ one|two|
a WRITE 0 /evc/deep/er/still|x
= WRITE OK|
a DIRECTORY 0 /evc|
= DIRECTORY a|b|deep|
a READ 0 /evc/deep|
= READ 
a READ 0 /evc/none|
= ERROR ENOENT|
a DIRECTORY 0 /evc/none|
= ERROR ENOENT|
a GET_PERMS 0 /evc/none|
= ERROR ENOENT|
a READ 0 /evc/none/below|
= ERROR ENOENT|

# ---- what is a path
a READ 0 /evc/|
= ERROR EINVAL|
a READ 0 //evc|
= ERROR EINVAL|
a READ 0 /evc//a|
= ERROR EINVAL|
a READ 0 /evc/a.b|
= ERROR EINVAL|
a READ 0 /evc/a b|
= ERROR EINVAL|
a READ 0 /evc/a:b|
= ERROR EINVAL|
a READ 0 /evc/a+b|
= ERROR EINVAL|
a READ 0 /evc/a@b|
= ERROR ENOENT|
a READ 0 |
= ERROR EINVAL|
a READ 0 @releaseDomain|
= ERROR EINVAL|
a WRITE 0 @releaseDomain|x
= ERROR EINVAL|
a READ 0
= ERROR EINVAL|
a READ 0 /evc/a
= ERROR EINVAL|
a READ 0 /evc/a|b|
= ERROR EINVAL|
a DIRECTORY 0 /evc|x|
= ERROR EINVAL|
a WRITE 0 /evc/a
= ERROR EINVAL|
a MKDIR 0 /evc/m|x
= ERROR EINVAL|
a RM 0 /evc/a|x
= ERROR EINVAL|
a WRITE 0 /evc/-_@09AZaz|odd
= WRITE OK|
a READ 0 /evc/-_@09AZaz|
= READ odd
a RM 0 /evc/-_@09AZaz|
= RM OK|

# ---- relative paths are in the domain's home
a WRITE 0 evc-relative|here
= WRITE OK|
a READ 0 /local/domain/0/evc-relative|
= READ here
a RM 0 evc-relative|
= RM OK|
a READ 0 evc-relative|
= ERROR ENOENT|

# ---- directories
a MKDIR 0 /evc/dir|
= MKDIR OK|
a MKDIR 0 /evc/dir|
= MKDIR OK|
a READ 0 /evc/dir|
= READ 
a MKDIR 0 /evc/dir/x/y/z|
= MKDIR OK|
a DIRECTORY 0 /evc/dir/x|
= DIRECTORY y|
a DIRECTORY_PART 0 /evc|0|
= DIRECTORY_PART G|a|b|deep|dir||
a DIRECTORY_PART 0 /evc|2|
= DIRECTORY_PART G|b|deep|dir||
a DIRECTORY_PART 0 /evc|4|
= DIRECTORY_PART G|deep|dir||
a DIRECTORY_PART 0 /evc|1000|
= DIRECTORY_PART G||
a DIRECTORY_PART 0 /evc/none|0|
= ERROR ENOENT|
a DIRECTORY_PART 0 /evc|x|
= DIRECTORY_PART G|a|b|deep|dir||
a DIRECTORY_PART 0 /evc|
= ERROR EINVAL|
a DIRECTORY_PART 0 /evc/a|0|
= DIRECTORY_PART G||

# ---- removing
a RM 0 /evc/dir|
= RM OK|
a READ 0 /evc/dir|
= ERROR ENOENT|
a READ 0 /evc/dir/x/y|
= ERROR ENOENT|
a RM 0 /evc/dir|
= RM OK|
a RM 0 /evc/none/none|
= ERROR ENOENT|
a RM 0 /|
= ERROR EINVAL|

# ---- permissions
a GET_PERMS 0 /evc|
= GET_PERMS n0|
a SET_PERMS 0 /evc/a|n0|r1|w2|b3|
= SET_PERMS OK|
a GET_PERMS 0 /evc/a|
= GET_PERMS n0|r1|w2|b3|
a WRITE 0 /evc/a/below|x
= WRITE OK|
a GET_PERMS 0 /evc/a/below|
= GET_PERMS n0|r1|w2|b3|
a SET_PERMS 0 /evc/a|b7|
= ERROR ENOENT|
a GET_PERMS 0 /evc/a|
= GET_PERMS n0|r1|w2|b3|
a SET_PERMS 0 /evc/a|
= ERROR EINVAL|
a SET_PERMS 0 /evc/a|x0|
= ERROR EINVAL|
a SET_PERMS 0 /evc/a|n|
= ERROR EINVAL|
a SET_PERMS 0 /evc/a|n0
= ERROR EINVAL|
a SET_PERMS 0 /evc/a|n0x|
= ERROR EINVAL|
a SET_PERMS 0 /evc/a|n0|r1|r2|r3|r4|r5|r6|
= SET_PERMS OK|
a SET_PERMS 0 /evc/none|n0|
= ERROR ENOENT|
a GET_PERMS 0 /evc/a|
= GET_PERMS n0|r1|r2|r3|r4|r5|r6|

# ---- watches
b WATCH 0 /evc/w|token|
= WATCH OK|
! b /evc/w|token|
b WATCH 0 /evc/w|token|
= ERROR EEXIST|
b WATCH 0 /evc/w|other|
= WATCH OK|
! b /evc/w|other|
a WRITE 0 /evc/w|1
= WRITE OK|
! b /evc/w|token|
! b /evc/w|other|
a WRITE 0 /evc/w/deep/er|1
= WRITE OK|
! b /evc/w/deep/er|token|
! b /evc/w/deep/er|other|
a WRITE 0 /evc/wider|1
= WRITE OK|
a MKDIR 0 /evc/w|
= MKDIR OK|
a MKDIR 0 /evc/w/new|
= MKDIR OK|
! b /evc/w/new|token|
! b /evc/w/new|other|
a SET_PERMS 0 /evc/w|n0|r1|
= SET_PERMS OK|
! b /evc/w|token|
! b /evc/w|other|
a RM 0 /evc/w/deep|
= RM OK|
! b /evc/w/deep|token|
! b /evc/w/deep|other|
a RM 0 /evc/w/deep|
= RM OK|
b UNWATCH 0 /evc/w|other|
= UNWATCH OK|
b UNWATCH 0 /evc/w|other|
= ERROR ENOENT|
b UNWATCH 0 /evc/none|token|
= ERROR ENOENT|
a RM 0 /evc/w|
= RM OK|
! b /evc/w|token|
a RM 0 /evc/w|
= RM OK|
b WATCH 0 /evc/w/below|low|
= WATCH OK|
! b /evc/w/below|low|
a WRITE 0 /evc/w/below|1
= WRITE OK|
! b /evc/w/below|token|
! b /evc/w/below|low|
a RM 0 /evc/w|
= RM OK|
! b /evc/w/below|low|
! b /evc/w|token|
b WATCH 0 relative|rel|
= WATCH OK|
! b relative|rel|
a WRITE 0 /local/domain/0/relative/x|1
= WRITE OK|
! b relative/x|rel|
a WRITE 0 relative|1
= WRITE OK|
! b relative|rel|
a RM 0 relative|
= RM OK|
! b relative|rel|
b WATCH 0 @releaseDomain|rd|
= WATCH OK|
! b @releaseDomain|rd|
b WATCH 0 @introduceDomain|id|
= WATCH OK|
! b @introduceDomain|id|
b WATCH 0 @nonsense|x|
= WATCH OK|
! b @nonsense|x|
b WATCH 0 /evc/bad.|x|
= ERROR EINVAL|
b WATCH 0 /evc/w|
= ERROR EINVAL|
b WATCH 0 /evc/w
= ERROR EINVAL|
b WATCH 0 /evc/w|tok
= ERROR EINVAL|
b WATCH 0 /evc/w|tok|more|
= ERROR EINVAL|
b UNWATCH 0 /evc/w|
= ERROR EINVAL|
b WATCH 0 /|root|
= WATCH OK|
! b /|root|
a WRITE 0 /evc/q|1
= WRITE OK|
! b /evc/q|root|
b WRITE 0 /evc/q|own
! b /evc/q|root|
= WRITE OK|
b UNWATCH 0 /|root|
= UNWATCH OK|
b RESET_WATCHES 0 |
= RESET_WATCHES OK|
a WRITE 0 /evc/q|2
= WRITE OK|

# ---- transactions
b WATCH 0 /evc/t|t|
= WATCH OK|
! b /evc/t|t|
a TRANSACTION_START 0 |
= TRANSACTION_START T1|
a WRITE T1 /evc/t/x|1
= WRITE OK|
a READ T1 /evc/t/x|
= READ 1
a READ 0 /evc/t/x|
= ERROR ENOENT|
b READ 0 /evc/t/x|
= ERROR ENOENT|
a TRANSACTION_START T1 |
= ERROR EBUSY|
a TRANSACTION_END T1 T|
= TRANSACTION_END OK|
! b /evc/t/x|t|
b READ 0 /evc/t/x|
= READ 1
a READ T1 /evc/t/x|
= ERROR ENOENT|
a TRANSACTION_END T1 T|
= ERROR ENOENT|
a TRANSACTION_START 0 |
= TRANSACTION_START T2|
a WRITE T2 /evc/t/y|1
= WRITE OK|
a TRANSACTION_END T2 F|
= TRANSACTION_END OK|
a READ 0 /evc/t/y|
= ERROR ENOENT|
a TRANSACTION_START 0 |
= TRANSACTION_START T3|
b TRANSACTION_START 0 |
= TRANSACTION_START T4|
a WRITE T3 /evc/t/x|a
= WRITE OK|
b WRITE T4 /evc/t/x|b
= WRITE OK|
a TRANSACTION_END T3 T|
= TRANSACTION_END OK|
! b /evc/t/x|t|
b TRANSACTION_END T4 T|
= ERROR EAGAIN|
a READ 0 /evc/t/x|
= READ a
a TRANSACTION_START 0 |
= TRANSACTION_START T5|
a READ T5 /evc/t/x|
= READ a
b WRITE 0 /evc/t/x|changed
! b /evc/t/x|t|
= WRITE OK|
a WRITE T5 /evc/t/z|1
= WRITE OK|
a TRANSACTION_END T5 T|
= ERROR EAGAIN|
a TRANSACTION_START 0 |
= TRANSACTION_START T6|
a READ T6 /evc/t/x|
= READ changed
b WRITE 0 /evc/t/x|again
! b /evc/t/x|t|
= WRITE OK|
a READ T6 /evc/t/x|
= READ changed
a TRANSACTION_END T6 T|
= ERROR EAGAIN|
a TRANSACTION_START 0 |
= TRANSACTION_START T7|
a READ T7 /evc/t/x|
= READ again
b WRITE 0 /evc/t/other|1
! b /evc/t/other|t|
= WRITE OK|
a WRITE T7 /evc/t/z|1
= WRITE OK|
a TRANSACTION_END T7 T|
= TRANSACTION_END OK|
! b /evc/t/z|t|
a TRANSACTION_START 0 |
= TRANSACTION_START T8|
a READ T8 /evc/t/missing|
= ERROR ENOENT|
b WRITE 0 /evc/t/missing|1
! b /evc/t/missing|t|
= WRITE OK|
a WRITE T8 /evc/t/z|2
= WRITE OK|
a TRANSACTION_END T8 T|
= ERROR EAGAIN|
a TRANSACTION_START 0 |
= TRANSACTION_START T9|
a RM T9 /evc/t/missing|
= RM OK|
a WRITE T9 /evc/t/m2|1
= WRITE OK|
a MKDIR T9 /evc/t/m3|
= MKDIR OK|
a SET_PERMS T9 /evc/t/m2|n0|r9|
= SET_PERMS OK|
a DIRECTORY T9 /evc/t|
= DIRECTORY x|other|z|m2|m3|
a TRANSACTION_END T9 T|
= TRANSACTION_END OK|
! b /evc/t/missing|t|
! b /evc/t/m2|t|
! b /evc/t/m3|t|
a DIRECTORY 0 /evc/t|
= DIRECTORY x|other|z|m2|m3|
a GET_PERMS 0 /evc/t/m2|
= GET_PERMS n0|r9|
b TRANSACTION_END T9 T|
= ERROR ENOENT|
a TRANSACTION_END 12345 T|
= ERROR ENOENT|
a READ 12345 /evc/t/x|
= ERROR ENOENT|
a TRANSACTION_END 0 T|
= ERROR ENOENT|
a TRANSACTION_START 0
= TRANSACTION_START T10|
a TRANSACTION_START 0 x|
= TRANSACTION_START T11|
a TRANSACTION_START 0 |
= TRANSACTION_START T12|
a TRANSACTION_END T11 X|
= ERROR EINVAL|
a TRANSACTION_END T11 |
= ERROR EINVAL|
a TRANSACTION_END T11 F|
= TRANSACTION_END OK|
a TRANSACTION_START 0 |
= TRANSACTION_START T13|
b WATCH 0 /evc/t/sub|sub|
= WATCH OK|
! b /evc/t/sub|sub|
b TRANSACTION_START 0 |
= TRANSACTION_START T14|
b WRITE T14 /evc/t/x|mine
= WRITE OK|
b WRITE T14 /evc/t/x|mine again
= WRITE OK|
b WRITE T14 /evc/t/sub/a|1
= WRITE OK|
b RM T14 /evc/t/sub|
= RM OK|
b TRANSACTION_END T14 T|
! b /evc/t/x|t|
= TRANSACTION_END OK|
b TRANSACTION_START 0 |
= TRANSACTION_START T15|
b WRITE T15 /evc/t/sub/a|1
= WRITE OK|
b TRANSACTION_END T15 T|
! b /evc/t/sub/a|t|
! b /evc/t/sub/a|sub|
= TRANSACTION_END OK|
b TRANSACTION_START 0 |
= TRANSACTION_START T16|
b RM T16 /evc/t/sub|
= RM OK|
b TRANSACTION_END T16 T|
! b /evc/t/sub|t|
! b /evc/t/sub|sub|
= TRANSACTION_END OK|
b TRANSACTION_START 0 |
= TRANSACTION_START T17|
b DIRECTORY T17 /evc/t|
= DIRECTORY x|other|z|m2|m3|
a WRITE 0 /evc/t/young|1
= WRITE OK|
! b /evc/t/young|t|
b TRANSACTION_END T17 T|
= ERROR EAGAIN|
b RM 0 /evc/t|
! b /evc/t|t|
= RM OK|
b RESET_WATCHES 0 |
= RESET_WATCHES OK|

# ---- domains and the rest
a GET_DOMAIN_PATH 0 0|
= GET_DOMAIN_PATH /local/domain/0|
a GET_DOMAIN_PATH 0 5|
= GET_DOMAIN_PATH /local/domain/5|
a GET_DOMAIN_PATH 0 |
= GET_DOMAIN_PATH /local/domain/0|
a GET_DOMAIN_PATH 0 x|
= GET_DOMAIN_PATH /local/domain/0|
a IS_DOMAIN_INTRODUCED 0 0|
= IS_DOMAIN_INTRODUCED T|
a IS_DOMAIN_INTRODUCED 0 77|
= IS_DOMAIN_INTRODUCED F|
a IS_DOMAIN_INTRODUCED 0 |
= IS_DOMAIN_INTRODUCED T|
a RELEASE 0 77|
= ERROR ENOENT|
a RESUME 0 77|
= ERROR ENOENT|
a 20 0 x|
= ERROR ENOSYS|
a 23 0 x|
= ERROR ENOSYS|
a 99 0 x|
= ERROR ENOSYS|
a WATCH_EVENT 0 x|y|
= ERROR ENOSYS|
a ERROR 0 x|
= ERROR ENOSYS|
a RM 0 /evc|
= RM OK|

