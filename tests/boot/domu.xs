# SPDX-License-Identifier: MIT
# What a guest was answered by Debian's xenstored 4.17 on Xen, over its ring: domain
# 1, as xl had made it; its kernel was kernel/speak.c, this its module.  Lines are
# as tests/store/speak.c has them.

# ---- looking
a READ 0 domid|
= READ 1
a READ 0 name/below|
= ERROR ENOENT|
a READ 0 none|
= ERROR ENOENT|
a READ 0 none/below|
= ERROR ENOENT|
a READ 0 data/none|
= ERROR ENOENT|
a READ 0 data/none/below|
= ERROR ENOENT|
a READ 0 device/vif/0/mac|
= ERROR ENOENT|
a READ 0 /local/domain/1/domid|
= READ 1
a READ 0 /|
= ERROR EACCES|
a READ 0 /none|
= ERROR EACCES|
a READ 0 /none/below|
= ERROR EACCES|
a READ 0 /tool|
= ERROR EACCES|
a READ 0 /tool/none|
= ERROR EACCES|
a READ 0 /tool/xenstored|
= ERROR EACCES|
a READ 0 /local|
= ERROR EACCES|
a READ 0 /local/domain|
= ERROR EACCES|
a READ 0 /local/domain/0|
= ERROR EACCES|
a READ 0 /local/domain/0/domid|
= ERROR EACCES|
a READ 0 /local/domain/0/none|
= ERROR EACCES|
a READ 0 /local/domain/7|
= ERROR EACCES|
a READ 0 /local/domain/7/name|
= ERROR EACCES|
a READ 0 /local/domain/0/backend|
= ERROR EACCES|
a READ 0 /local/domain/0/backend/console|
= ERROR EACCES|
a READ 0 /local/domain/0/backend/console/1|
= ERROR EACCES|
a READ 0 /local/domain/0/backend/console/1/0|
= READ 
a READ 0 /local/domain/0/backend/console/1/0/online|
= READ 1
a READ 0 /local/domain/0/backend/console/1/0/none|
= ERROR ENOENT|
a READ 0 /vm|
= ERROR EACCES|
a DIRECTORY 0 /|
= ERROR EACCES|
a DIRECTORY 0 /local/domain|
= ERROR EACCES|
a DIRECTORY 0 /vm|
= ERROR EACCES|
a DIRECTORY 0 |
= ERROR EINVAL|
a DIRECTORY 0 /local/domain/1|
= DIRECTORY vm|name|cpu|memory|device|control|data|drivers|feature|attr|error|domid|store|console|
a DIRECTORY 0 device|
= DIRECTORY suspend|
a DIRECTORY 0 control|
= DIRECTORY shutdown|feature-poweroff|feature-reboot|feature-suspend|sysrq|platform-feature-multiprocessor-suspend|platform-feature-xs_reset_watches|
a DIRECTORY 0 console|
= DIRECTORY backend|backend-id|limit|type|output|tty|port|ring-ref|
a DIRECTORY 0 store|
= DIRECTORY port|ring-ref|
a DIRECTORY 0 data|
= DIRECTORY 
a DIRECTORY 0 none|
= ERROR ENOENT|
a DIRECTORY 0 /tool|
= ERROR EACCES|
a DIRECTORY 0 /local/domain/0/backend/console/1/0|
= DIRECTORY frontend|frontend-id|online|state|protocol|
a GET_PERMS 0 /local/domain/1|
= GET_PERMS n0|r1|
a GET_PERMS 0 name|
= GET_PERMS n0|r1|
a GET_PERMS 0 data|
= GET_PERMS n1|
a GET_PERMS 0 device|
= GET_PERMS n0|r1|
a GET_PERMS 0 device/suspend|
= GET_PERMS n0|r1|
a GET_PERMS 0 device/suspend/event-channel|
= GET_PERMS n1|
a GET_PERMS 0 console/backend-id|
= GET_PERMS n1|r0|
a GET_PERMS 0 control/shutdown|
= GET_PERMS n1|
a GET_PERMS 0 none|
= ERROR ENOENT|
a GET_PERMS 0 /tool|
= ERROR EACCES|
a GET_PERMS 0 /|
= ERROR EACCES|
a GET_PERMS 0 /local/domain/0/backend/console/1/0/state|
= GET_PERMS n0|r1|

# ---- writing
a WRITE 0 data/x|one
= WRITE OK|
a READ 0 data/x|
= READ one
a GET_PERMS 0 data/x|
= GET_PERMS n1|
a WRITE 0 data/deep/er|two
= WRITE OK|
a GET_PERMS 0 data/deep|
= GET_PERMS n1|
a GET_PERMS 0 data/deep/er|
= GET_PERMS n1|
a WRITE 0 name|mine
= ERROR EACCES|
a WRITE 0 domid|7
= ERROR EACCES|
a WRITE 0 new|x
= ERROR EACCES|
a WRITE 0 new/er|x
= ERROR EACCES|
a WRITE 0 device/vif/0/x|x
= ERROR EACCES|
a WRITE 0 /new|x
= ERROR EACCES|
a WRITE 0 /tool/new|x
= ERROR EACCES|
a WRITE 0 /local/domain/0/name|x
= ERROR EACCES|
a WRITE 0 /local/domain/7/x|x
= ERROR EACCES|
a WRITE 0 /local/domain/0/backend/console/1/0/state|4
= ERROR EACCES|
a WRITE 0 control/shutdown|x
= WRITE OK|
a READ 0 control/shutdown|
= READ x
a WRITE 0 console/backend-id|7
= WRITE OK|
a READ 0 console/backend-id|
= READ 7
a WRITE 0 device/suspend/event-channel|5
= WRITE OK|
a WRITE 0 device/suspend/other|5
= ERROR EACCES|
a MKDIR 0 data/dir|
= MKDIR OK|
a MKDIR 0 data/dir|
= MKDIR OK|
a MKDIR 0 data/x|
= MKDIR OK|
a MKDIR 0 name|
= ERROR EACCES|
a MKDIR 0 new|
= ERROR EACCES|
a MKDIR 0 new/er|
= ERROR EACCES|
a MKDIR 0 /tool|
= ERROR EACCES|
a MKDIR 0 /local/domain/1|
= ERROR EACCES|

# ---- removing
a RM 0 data/x|
= RM OK|
a RM 0 data/x|
= RM OK|
a RM 0 data/none/below|
= ERROR ENOENT|
a RM 0 data/none/below/that|
= ERROR ENOENT|
a RM 0 none|
= ERROR EACCES|
a RM 0 none/below|
= ERROR EACCES|
a RM 0 device/vif/0/flibble|
= ERROR EACCES|
a RM 0 name|
= ERROR EACCES|
a RM 0 name/below|
= ERROR EACCES|
a RM 0 name/below/that|
= ERROR EACCES|
a RM 0 /tool|
= ERROR EACCES|
a RM 0 /tool/none|
= ERROR EACCES|
a RM 0 /none|
= ERROR EACCES|
a RM 0 /|
= ERROR EACCES|
a RM 0 /local/domain/1|
= ERROR EACCES|
a RM 0 /local/domain/0|
= ERROR EACCES|
a RM 0 data/deep|
= RM OK|
a READ 0 data/deep/er|
= ERROR ENOENT|

# ---- permissions
a WRITE 0 data/p|x
= WRITE OK|
a SET_PERMS 0 data/p|n1|r0|
= SET_PERMS OK|
a GET_PERMS 0 data/p|
= GET_PERMS n1|r0|
a SET_PERMS 0 data/p|n0|
= ERROR EPERM|
a SET_PERMS 0 data/p|n7|
= ERROR ENOENT|
a SET_PERMS 0 data/p|n1|r7|
= SET_PERMS OK|
a GET_PERMS 0 data/p|
= GET_PERMS n1|r7|
a SET_PERMS 0 data/p|n1|r0|r0|r0|r0|
= SET_PERMS OK|
a SET_PERMS 0 data/p|n1|r0|r0|r0|r0|r0|
= ERROR ENOSPC|
a SET_PERMS 0 data/p|x1|
= ERROR EINVAL|
a SET_PERMS 0 data/p|
= ERROR EINVAL|
a SET_PERMS 0 data/none|n1|
= ERROR ENOENT|
a SET_PERMS 0 name|n1|
= ERROR EACCES|
a SET_PERMS 0 none|n1|
= ERROR EACCES|
a SET_PERMS 0 /tool|n1|
= ERROR EACCES|
a SET_PERMS 0 /none|n1|
= ERROR EACCES|
a SET_PERMS 0 /local/domain/1|n1|
= ERROR EACCES|
a SET_PERMS 0 /local/domain/0/backend/console/1/0/state|b1|
= ERROR EACCES|

# ---- watches
a WATCH 0 data|d|
= WATCH OK|
a WATCH 0 data|d|
! a data|d|
= ERROR EEXIST|
a WATCH 0 /local/domain/1/data|e|
= WATCH OK|
a WATCH 0 /tool|t|
! a /local/domain/1/data|e|
= WATCH OK|
a WATCH 0 /none|n|
! a /tool|t|
= WATCH OK|
a WATCH 0 @releaseDomain|r|
! a /none|n|
= WATCH OK|
a WATCH 0 @introduceDomain|i|
! a @releaseDomain|r|
= WATCH OK|
a WATCH 0 @nothing|z|
! a @introduceDomain|i|
= WATCH OK|
a WRITE 0 data/w|1
! a @nothing|z|
! a data/w|d|
! a /local/domain/1/data/w|e|
= WRITE OK|
a WRITE 0 data/w|2
! a data/w|d|
! a /local/domain/1/data/w|e|
= WRITE OK|
a MKDIR 0 data/w|
= MKDIR OK|
a RM 0 data/w|
! a data/w|d|
! a /local/domain/1/data/w|e|
= RM OK|
a RM 0 data/w|
= RM OK|
a SET_PERMS 0 data/p|n1|
! a data/p|d|
! a /local/domain/1/data/p|e|
= SET_PERMS OK|
a UNWATCH 0 data|d|
= UNWATCH OK|
a UNWATCH 0 data|d|
= ERROR ENOENT|
a UNWATCH 0 /local/domain/1/data|e|
= UNWATCH OK|
a UNWATCH 0 @releaseDomain|r|
= UNWATCH OK|
a UNWATCH 0 /tool|t|
= UNWATCH OK|
a UNWATCH 0 /none|n|
= UNWATCH OK|

# ---- transactions
a TRANSACTION_START 0 |
= TRANSACTION_START T1|
a WRITE T1 data/t|1
= WRITE OK|
a READ T1 data/t|
= READ 1
a READ 0 data/t|
= ERROR ENOENT|
a WRITE T1 name|x
= ERROR EACCES|
a READ T1 /tool|
= ERROR EACCES|
a TRANSACTION_END T1 T|
= TRANSACTION_END OK|
a READ 0 data/t|
= READ 1
a TRANSACTION_END T1 T|
= ERROR ENOENT|
a READ T1 data/t|
= ERROR ENOENT|
a TRANSACTION_START 0 |
= TRANSACTION_START T2|
a WRITE T2 data/t|2
= WRITE OK|
a TRANSACTION_END T2 F|
= TRANSACTION_END OK|
a READ 0 data/t|
= READ 1
a TRANSACTION_START 0 |
= TRANSACTION_START T3|
a WRITE 0 data/t|3
= WRITE OK|
a WRITE T3 data/t|4
= WRITE OK|
a TRANSACTION_END T3 T|
= TRANSACTION_END OK|
a TRANSACTION_START 0 |
= TRANSACTION_START T4|
a READ T4 data/t|
= READ 4
a WRITE 0 data/t|5
= WRITE OK|
a WRITE T4 data/u|4
= WRITE OK|
a TRANSACTION_END T4 T|
= ERROR EAGAIN|
a TRANSACTION_START 0 |
= TRANSACTION_START T5|
a TRANSACTION_END T5 X|
= ERROR EINVAL|
a TRANSACTION_END T5 F|
= TRANSACTION_END OK|

# ---- what is not for guests
a CONTROL 0 help|
= ERROR EACCES|
a INTRODUCE 0 1|2|3|
= ERROR EACCES|
a RELEASE 0 1|
= ERROR EACCES|
a RESUME 0 1|
= ERROR EACCES|
a SET_TARGET 0 1|2|
= ERROR EACCES|
a IS_DOMAIN_INTRODUCED 0 1|
= ERROR EACCES|
a IS_DOMAIN_INTRODUCED 0 0|
= ERROR EACCES|
a IS_DOMAIN_INTRODUCED 0 7|
= ERROR EACCES|
a GET_DOMAIN_PATH 0 0|
= GET_DOMAIN_PATH /local/domain/0|
a GET_DOMAIN_PATH 0 7|
= GET_DOMAIN_PATH /local/domain/7|
a RESET_WATCHES 0 |
= RESET_WATCHES OK|
a READ 0 domid|
= READ 1
