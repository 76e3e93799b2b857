"""Campaigns against posted messages: processes are killed, files damaged, disks filled, and a judge looks."""
