"""The daemon made to stumble at one point of its way: killed there, or told of a failure.

`points` counts where it comes by, `parts` puts the counting between the daemon and the
world, `zygote` starts daemons fast, `daemon` is one of them in a lab.
"""
