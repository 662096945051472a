"""Policies rehearsed: the daemon's own journey and workers on a virtual clock, in a scripted world.

``remediator test`` plays the tests beside the policies, ``remediator backtest`` what was recorded.
"""
